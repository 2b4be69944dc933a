"""Peer of the speed benchmark: scipy.stats.bootstrap (BCa) and statsmodels/scipy tests on the same data.

Reads one JSON request per line, answers one JSON line: {seconds, cpu, maxRssMb, low, high}. "batch": null is scipy's default
(all resamples at once), 100 the setting that is fastest and smallest here.
"""
import json
import resource
import sys
import time

import numpy as np
from scipy import stats

data = {}
baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def gap(x, y, axis):
    return np.mean(x, axis=axis) - np.mean(y, axis=axis)


def run(request):
    a, b = data["a"], data["b"]
    options = dict(n_resamples=request["resamples"], method="BCa", rng=np.random.default_rng(request["seed"]))
    if request["batch"]:
        options["batch"] = request["batch"]
    if request["case"] == "mean":
        return stats.bootstrap((a,), np.mean, **options).confidence_interval
    return stats.bootstrap((a, b), gap, paired=True, **options).confidence_interval


for line in sys.stdin:
    request = json.loads(line)
    if request["case"] == "load":
        data = {k: np.array(v) for k, v in request["data"].items()}
        print(json.dumps({"baselineMb": baseline}), flush=True)
        continue
    start, cpu = time.perf_counter(), time.process_time()
    interval = run(request)
    print(json.dumps({
        "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
        "maxRssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "low": float(interval.low), "high": float(interval.high),
    }), flush=True)
