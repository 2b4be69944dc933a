"""Writes schedules.json: learning-rate factors of transformers' schedules, read by schedule.test.ts.

Run: python make_schedules.py  (needs torch and transformers)
"""
import json, pathlib
import torch, transformers
from transformers import optimization as o

STEPS = 24


def factors(make):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler = make(optimizer)
    values = []
    for _ in range(STEPS):
        values.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return values


cases = [
    ({"kind": "constant"}, lambda p: o.get_constant_schedule(p)),
    ({"kind": "constant", "warmupSteps": 5}, lambda p: o.get_constant_schedule_with_warmup(p, 5)),
    ({"kind": "linear", "warmupSteps": 4, "totalSteps": 20}, lambda p: o.get_linear_schedule_with_warmup(p, 4, 20)),
    ({"kind": "cosine", "warmupSteps": 5, "totalSteps": 23}, lambda p: o.get_cosine_schedule_with_warmup(p, 5, 23)),
    ({"kind": "cosine", "totalSteps": 24}, lambda p: o.get_cosine_schedule_with_warmup(p, 0, 24)),
    ({"kind": "cosine", "warmupSteps": 3, "totalSteps": 24, "floorRatio": 0.02},
     lambda p: o.get_cosine_with_min_lr_schedule_with_warmup(p, 3, 24, min_lr_rate=0.02)),
]
for shape in ("linear", "cosine", "1-sqrt"):
    cases.append((
        {"kind": "wsd", "warmupSteps": 4, "totalSteps": 22, "decaySteps": 8, "decayShape": shape},
        lambda p, shape=shape: o.get_wsd_schedule(p, 4, 8, num_stable_steps=10, decay_type=shape),
    ))
golden = {
    "transformers": transformers.__version__,
    "cases": [{"schedule": schedule, "factors": factors(make)} for schedule, make in cases],
}
pathlib.Path(__file__).with_name("schedules.json").write_text(json.dumps(golden, indent=1) + "\n")
