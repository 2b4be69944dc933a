"""Writes bootstrap.json: limits of scipy.stats.bootstrap at 100 000 resamples, and how much they move between seeds.

Each limit is the mean over 12 seeds, `sd` its standard deviation over them: the Monte-Carlo error of one run.
Run: python make_bootstrap.py   (needs numpy and scipy; a few minutes)
"""
import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

RESAMPLES, SEEDS = 100_000, 12
data_rng = np.random.default_rng(7)
skewed = np.round(data_rng.exponential(1, 40), 4)
normal = np.round(data_rng.normal(0, 1, 30), 4)
binary = (data_rng.random(60) < 0.35).astype(float)
other = np.round(skewed * 0.7 + data_rng.normal(0, 0.3, 40), 4)

mean = np.mean
std = lambda x, axis: np.std(x, axis=axis, ddof=1)
median = np.median
iqm = lambda x, axis: stats.trim_mean(x, 0.25, axis=axis)
gap = lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis)
std_gap = lambda x, y, axis: std(x, axis) - std(y, axis)

CASES = [
    ("mean", "skewed", (skewed,), mean, False), ("mean", "binary", (binary,), mean, False), ("std", "skewed", (skewed,), std, False),
    ("std", "normal", (normal,), std, False), ("iqm", "skewed", (skewed,), iqm, False), ("median", "skewed", (skewed,), median, False),
    ("mean", "paired", (skewed, other), gap, True), ("std", "paired", (skewed, other), std_gap, True),
    ("mean", "two-sample", (skewed, normal), gap, False),
]
rows = []
for statistic, name, samples, f, paired in CASES:
    # Percentile and basic limits read the same distribution as BCa; they are compared where BCa is not, or once.
    for method in ["percentile"] if statistic == "median" else ["BCa", "basic"] if name == "binary" else ["BCa"]:
        limits, errors = [], []
        for seed in range(SEEDS):
            r = stats.bootstrap(samples, f, n_resamples=RESAMPLES, method=method, paired=paired, batch=5000, rng=np.random.default_rng(seed))
            limits.append([r.confidence_interval.low, r.confidence_interval.high])
            errors.append(r.standard_error)
        rows.append({
            "statistic": statistic, "data": name, "method": method.lower(), "samples": [s.tolist() for s in samples], "paired": paired,
            "low": float(np.mean(limits, 0)[0]), "high": float(np.mean(limits, 0)[1]),
            "sdLow": float(np.std(limits, 0, ddof=1)[0]), "sdHigh": float(np.std(limits, 0, ddof=1)[1]),
            "standardError": float(np.mean(errors)), "sdStandardError": float(np.std(errors, ddof=1)),
        })
body = ",\n".join("  " + json.dumps(row) for row in rows)
Path(__file__).with_name("bootstrap.json").write_text(
    f'{{\n "source": "scipy {scipy.__version__}, {RESAMPLES} resamples, {SEEDS} seeds",\n "rows": [\n{body}\n ]\n}}\n')
