"""Writes distributions.json: tails and quantiles of t, chi2, F, binomial and the noncentral t, chi2, F (mpmath, 50 digits).

Noncentral t by quadrature of the normal tail against the chi density, noncentral chi2 and F by their Poisson mixtures.
Run: python make_distributions.py   (needs mpmath; a few minutes)
"""
import json
from pathlib import Path

from mpmath import betainc, erfc, exp, findroot, gammainc, inf, log, loggamma, mp, mpf, quad, sqrt

mp.dps = 50


def normal_upper(z):
    return erfc(z / sqrt(mpf(2))) / 2


def t_upper(t, df):
    t, df = mpf(t), mpf(df)
    return betainc(df / 2, mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2


def f_upper(f, d1, d2):
    f, d1, d2 = mpf(f), mpf(d1), mpf(d2)
    return betainc(d2 / 2, d1 / 2, 0, d2 / (d2 + d1 * f), regularized=True)


def chi2_upper(x, df):
    return gammainc(mpf(df) / 2, mpf(x) / 2, inf, regularized=True)


def nct(t, df, delta):
    """(lower, upper) tails; u = log s, the integrand is smooth and the range is cut where it is below 1e-60."""
    t, df, delta = mpf(t), mpf(df), mpf(delta)
    front = log(mpf(2)) + df / 2 * log(df / 2) - loggamma(df / 2)

    def side(sign):
        g = lambda u: exp(front + df * u - df / 2 * exp(2 * u)) * normal_upper(-sign * (t * exp(u) - delta))
        grid = [mpf(k) / 8 for k in range(-240, 25)]
        peak = max(grid, key=g)
        wide = [u for u in grid if g(u) > g(peak) * mpf(10) ** -60]
        low, high = min(wide) - mpf(1) / 8, max(wide) + mpf(1) / 8
        points = [low + (high - low) * k / 64 for k in range(65)]
        return quad(g, points)

    return side(1), side(-1)


def mixture(mean, term):
    total, j, mean = mpf(0), 0, mpf(mean)
    while True:
        weight = exp(-mean + j * log(mean) - loggamma(j + 1))
        value = weight * term(j)
        total += value
        if j > mean and value < total * mpf(10) ** -40:
            return total
        j += 1


rows = {k: [] for k in ["studentT", "studentTUpperQuantile", "fisherF", "chiSquared", "noncentralT", "noncentralChiSquared", "noncentralF"]}

for df in [1, 2, 3.7, 19, 99.5, 1000, 10569, 1e6]:
    for t in [0.001, 0.5, 1.3, 2.0, 4.5, 9.0, 30.0]:
        upper = t_upper(t, df)
        if upper > mpf(10) ** -300:
            rows["studentT"].append([t, df, float(upper)])
    for q in [0.4, 0.1, 0.025, 0.0005, 1e-8]:
        root = findroot(lambda t: log(t_upper(t, df)) - log(mpf(q)), (mpf(0.2), mpf(7)) if df > 3 else mpf(1) / q ** (1 / df), solver="secant")
        rows["studentTUpperQuantile"].append([q, df, float(abs(root))])

for d1, d2, f in [(1, 1, 0.2), (1, 10, 4.96), (3, 7.5, 0.01), (5, 200, 3.0), (30, 30, 8.0), (100, 2, 50.0), (2, 10569, 7.0), (40, 5000, 1.001)]:
    rows["fisherF"].append([f, d1, d2, float(f_upper(f, d1, d2))])
for df, x in [(1, 3.84), (1, 100.0), (2, 0.001), (5, 11.07), (10.5, 60.0), (100, 70.0), (1000, 1500.0), (10000, 9500.0)]:
    rows["chiSquared"].append([x, df, float(chi2_upper(x, df))])

for df, delta, t in [(1, 0.5, 2.0), (2, 1.0, -3.0), (4, 2.0, 2.776), (9, 3.0, 2.262), (9, 3.0, -2.262), (19, 0.0, 2.093), (19, -2.5, 1.0),
                     (30, 8.0, 2.0), (62, 2.8, 1.999), (99, 10.0, 20.0), (126, 2.83, 1.979), (500, 50.0, 45.0), (1000, 3.3, 1.9623), (10569, 2.8, 1.9602),
                     (10569, 40.0, 39.0), (3.5, 12.0, 5.0), (15, 0.7, 0.0)]:
    lower, upper = nct(t, df, delta)
    rows["noncentralT"].append([t, df, delta, float(lower), float(upper)])

for df, lam, x in [(1, 7.849, 3.841), (3, 0.5, 1.0), (5, 20.0, 9.0), (10, 100.0, 60.0), (50, 400.0, 700.0)]:
    upper = mixture(mpf(lam) / 2, lambda j: chi2_upper(x, df + 2 * j))
    lower = mixture(mpf(lam) / 2, lambda j: gammainc(mpf(df) / 2 + j, 0, mpf(x) / 2, regularized=True))
    rows["noncentralChiSquared"].append([x, df, lam, float(lower), float(upper)])

for d1, d2, lam, f in [(1, 30, 7.849, 4.17), (3, 60, 10.9, 2.758), (4, 1000, 1.0, 9.0), (10, 20, 50.0, 1.5), (2, 10000, 30.0, 3.0)]:
    upper = mixture(mpf(lam) / 2, lambda j: betainc(mpf(d2) / 2, mpf(d1) / 2 + j, 0, mpf(d2) / (d2 + d1 * mpf(f)), regularized=True))
    lower = mixture(mpf(lam) / 2, lambda j: betainc(mpf(d1) / 2 + j, mpf(d2) / 2, 0, d1 * mpf(f) / (d2 + d1 * mpf(f)), regularized=True))
    rows["noncentralF"].append([f, d1, d2, lam, float(lower), float(upper)])

Path(__file__).with_name("distributions.json").write_text(
    "{\n" + ",\n".join(
        f' "{name}": [\n' + ",\n".join("  " + json.dumps(row) for row in values) + "\n ]" for name, values in rows.items()
    ) + "\n}\n"
)
