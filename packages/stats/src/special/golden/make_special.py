"""Writes special.json: special functions at 60 digits (mpmath), rounded once to double.

Arguments are doubles taken exactly. One tail is summed from positive terms, the other is 1 minus it with enough
working digits that it keeps 60 of its own.
Run: python make_special.py   (needs mpmath; takes about a minute)
"""
import json
import random
from pathlib import Path

from mpmath import erfc, gamma, log, loggamma, mp, mpf, sqrt, exp, findroot, ncdf

mp.dps = 60
random.seed(20240601)


def positive_series(first, ratio):
    term, total, n = first, first, 1
    while term > total * mpf(10) ** -(mp.dps - 5):
        term *= ratio(n)
        total += term
        n += 1
    return total


def beta_tail(a, b, x, y):
    """I_x(a, b) from x^a y^b / (a B(a,b)) * sum (a+b)_n/(a+1)_n x^n, all terms positive."""
    front = exp(a * log(x) + b * log(y) + loggamma(a + b) - loggamma(a) - loggamma(b)) / a
    return front * positive_series(mpf(1), lambda n: (a + b + n - 1) / (a + n) * x)


def incomplete_beta(a, b, x):
    # The series in the smaller of x and 1 - x converges fast; 420 digits leave 60 when the other tail is 1e-300.
    with mp.workdps(420):
        a, b, x = mpf(a), mpf(b), mpf(x)
        if x < 0.5:
            lower = beta_tail(a, b, x, 1 - x)
            return lower, 1 - lower
        upper = beta_tail(b, a, 1 - x, x)
        return 1 - upper, upper


def incomplete_gamma(a, x):
    # As above: enough working digits that 1 - lower keeps 60 of them even when it is 1e-300.
    with mp.workdps(420 if x > a else 60):
        a, x = mpf(a), mpf(x)
        front = exp(a * log(x) - x - loggamma(a)) / a
        term, total, n = mpf(1), mpf(1), 1
        while term > total * mpf(10) ** -(mp.dps - 5):
            term *= x / (a + n)
            total += term
            n += 1
        lower = front * total
        return lower, 1 - lower


def usable(value):
    return mpf(10) ** -300 < value <= 1


def uniform_log(low, high):
    return float(mpf(10) ** random.uniform(low, high))


rows = {"incompleteBeta": [], "incompleteGamma": [], "logGamma": [], "normal": [], "normalUpperQuantile": []}

while len(rows["incompleteBeta"]) < 240:
    i = len(rows["incompleteBeta"])
    # 200 points over a, b in 0.1 … 3162 as in the library comparison; 40 with shapes up to 1e6 near the mean.
    a, b = (uniform_log(-1, 3.5), uniform_log(-1, 3.5)) if i < 200 else (uniform_log(3, 6), uniform_log(-0.3, 6))
    mean = a / (a + b)
    if i % 2 == 0 and i < 200:
        x = random.random()
    else:
        spread = float(sqrt(mpf(a) * b / (a + b + 1)) / (a + b))
        x = mean + random.uniform(-8, 8) * spread
    if not 0 < x < 1:
        continue
    lower, upper = incomplete_beta(a, b, x)
    if usable(lower) and usable(upper):
        rows["incompleteBeta"].append([a, b, x, float(lower), float(upper)])

while len(rows["incompleteGamma"]) < 200:
    i = len(rows["incompleteGamma"])
    a = uniform_log(-2, 3.5) if i < 160 else uniform_log(3, 5)
    x = a * uniform_log(-2, 1) if i % 2 == 0 and i < 160 else a + random.uniform(-8, 12) * a**0.5
    if not x > 0:
        continue
    lower, upper = incomplete_gamma(a, x)
    if usable(lower) and usable(upper):
        rows["incompleteGamma"].append([a, x, float(lower), float(upper)])

for x in [1e-10, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999, 0.9999999, 1.0000001, 1.001, 1.2, 1.4616321449683622, 1.5, 1.7,
          1.9, 1.999, 2.001, 2.3, 2.5, 2.7, 3.3, 5.0, 7.5, 11.9, 12.1, 20.0, 100.5, 1e3, 12345.678, 1e6, 1e10]:
    rows["logGamma"].append([x, float(loggamma(mpf(x)))])

for z in [1e-8, 0.01, 0.1, 0.5, 0.99, 1.0, 1.5, 1.96, 1.9999, 2.0, 2.0001, 2.5, 3.0, 4.0, 5.5, 8.0, 12.3, 20.0, 27.7, 37.0]:
    upper = erfc(mpf(z) / sqrt(mpf(2))) / 2
    rows["normal"].append([z, float(1 - upper), float(upper)])

for q in [0.4999999, 0.4, 0.3, 0.2, 0.11, 0.0999, 0.05, 0.025, 0.01, 1e-3, 1e-5, 1e-8, 1e-12, 1e-20, 1e-50, 1e-100, 1e-200, 1e-300]:
    target = mpf(q)
    guess = sqrt(-2 * log(target)) - (0 if q > 0.05 else log(-2 * log(target)) / sqrt(-2 * log(target)) / 2)
    root = findroot(lambda z: log(erfc(z / sqrt(mpf(2))) / 2) - log(target), guess)
    rows["normalUpperQuantile"].append([q, float(root)])

Path(__file__).with_name("special.json").write_text(
    "{\n" + ",\n".join(
        f' "{name}": [\n' + ",\n".join("  " + json.dumps(row) for row in values) + "\n ]" for name, values in rows.items()
    ) + "\n}\n"
)
