"""Writes references.json: results of scipy and statsmodels, and of brute-force enumeration where neither has the quantity.

Every case is {call, args, want, source}. The TypeScript test calls the function named by `call` and compares every
number of `want`. Book values are in the test itself, with their printed precision.
Run: python make_references.py   (needs numpy, scipy, statsmodels; under a minute)
"""
import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, special, stats
from statsmodels.stats import contingency_tables, multitest, power, proportion

warnings.simplefilter("ignore")
rng = np.random.default_rng(20240601)
SCIPY = f"scipy {scipy.__version__}"
STATSMODELS = f"statsmodels {statsmodels.__version__}"
cases = []


def case(call, args, want, source):
    cases.append({"call": call, "args": args, "want": want, "source": source})


def num(x):
    """JSON has no infinity; the test reads these strings as numbers."""
    assert not np.isnan(x)
    return float(x) if np.isfinite(x) else ("Infinity" if x > 0 else "-Infinity")


def sample(size, kind):
    if kind == "normal":
        return np.round(rng.normal(0.3, 1, size), 6)
    if kind == "skewed":
        return np.round(rng.exponential(1, size), 6)
    if kind == "binary":
        return (rng.random(size) < 0.6).astype(float)
    return np.round(rng.integers(0, 5, size) / 4, 6)  # many ties


ALTERNATIVES = ["two-sided", "less", "greater"]

# --- t tests -----------------------------------------------------------------------------------------------------
for kind, n in [("normal", 5), ("normal", 30), ("skewed", 17), ("binary", 40), ("ties", 12)]:
    a, b = sample(n, kind), sample(n, kind)
    for alternative in ALTERNATIVES:
        r = stats.ttest_rel(a, b, alternative=alternative)
        ci = r.confidence_interval(0.95)
        case("pairedTTest", [a.tolist(), b.tolist(), {"alternative": alternative}],
             {"statistic": num(r.statistic), "pValue": num(r.pvalue), "degreesOfFreedom": num(r.df),
              "ci.low": num(ci.low), "ci.high": num(ci.high)}, f"{SCIPY} ttest_rel")
    c = sample(n + 4, kind)
    for equal in [True, False]:
        r = stats.ttest_ind(a, c, equal_var=equal)
        ci = r.confidence_interval(0.9)
        case("independentTTest", [a.tolist(), c.tolist(), {"equalVariance": equal, "confidence": 0.9}],
             {"statistic": num(r.statistic), "pValue": num(r.pvalue), "degreesOfFreedom": num(r.df),
              "ci.low": num(ci.low), "ci.high": num(ci.high)}, f"{SCIPY} ttest_ind")

# Cluster-robust: regression on a constant with clustered covariance. statsmodels' factor is G/(G-1)*(N-1)/(N-K), K = 1.
for n, groups in [(24, 6), (60, 15)]:
    labels = rng.integers(0, groups, n)
    labels[:groups] = np.arange(groups)
    d = np.round(rng.normal(0.2, 1, n) + 0.5 * rng.normal(0, 1, groups)[labels], 6)
    fit = sm.OLS(d, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    naive = d.std(ddof=1) / np.sqrt(n)
    case("clusteredStandardError", [d.tolist(), labels.tolist()],
         {"mean": num(d.mean()), "standardError": num(fit.bse[0]), "naiveStandardError": num(naive),
          "ci.low": num(fit.conf_int()[0][0]), "ci.high": num(fit.conf_int()[0][1])},
         f"{STATSMODELS} OLS, cov_type='cluster'")
    case("pairedTTest", [d.tolist(), [0.0] * n, {"clusters": labels.tolist()}],
         {"statistic": num(fit.tvalues[0]), "pValue": num(fit.pvalues[0])}, f"{STATSMODELS} OLS, cov_type='cluster'")

# --- rank tests --------------------------------------------------------------------------------------------------
for n in [6, 11, 25]:
    a, b = sample(n, "normal"), sample(n, "normal")
    for alternative in ALTERNATIVES:
        r = stats.wilcoxon(a, b, alternative=alternative, method="exact")
        case("wilcoxonSignedRank", [a.tolist(), b.tolist(), {"alternative": alternative}], {"pValue": num(r.pvalue)},
             f"{SCIPY} wilcoxon, exact")
for n in [30, 80]:
    for kind in ["normal", "ties"]:
        a, b = sample(n, kind), sample(n, kind)
        for zeros in ["wilcox", "pratt"]:
            for correction in [True, False]:
                r = stats.wilcoxon(a, b, zero_method=zeros, correction=correction, method="approx")
                case("wilcoxonSignedRank", [a.tolist(), b.tolist(), {"zeros": zeros, "correction": correction, "method": "normal"}],
                     {"pValue": num(r.pvalue)}, f"{SCIPY} wilcoxon, approx")


def signed_rank_enumeration(d):
    d = d[d != 0]
    ranks = stats.rankdata(abs(d))
    observed = ranks[d > 0].sum()
    sums = np.array([sum(r for r, s in zip(ranks, signs) if s) for signs in itertools.product([0, 1], repeat=len(d))])
    return observed, (sums <= observed).mean(), (sums >= observed).mean()


for n in [8, 13]:
    a, b = sample(n, "ties"), sample(n, "ties")
    w, lower, upper = signed_rank_enumeration(a - b)
    case("wilcoxonSignedRank", [a.tolist(), b.tolist(), {"alternative": "less"}], {"statistic": num(w), "pValue": num(lower)},
         "all sign patterns of the midranks")
    case("wilcoxonSignedRank", [a.tolist(), b.tolist(), {"alternative": "greater"}], {"statistic": num(w), "pValue": num(upper)},
         "all sign patterns of the midranks")

for m, n in [(5, 7), (12, 9), (20, 22)]:
    a, b = sample(m, "normal"), sample(n, "skewed")
    for alternative in ALTERNATIVES:
        r = stats.mannwhitneyu(a, b, alternative=alternative, method="exact")
        case("mannWhitneyU", [a.tolist(), b.tolist(), {"alternative": alternative}],
             {"statistic": num(r.statistic), "pValue": num(r.pvalue)}, f"{SCIPY} mannwhitneyu, exact")
for m, n, kind in [(30, 40, "normal"), (60, 35, "ties")]:
    a, b = sample(m, kind), sample(n, kind)
    for correction in [True, False]:
        for alternative in ALTERNATIVES:
            r = stats.mannwhitneyu(a, b, alternative=alternative, method="asymptotic", use_continuity=correction)
            case("mannWhitneyU", [a.tolist(), b.tolist(), {"alternative": alternative, "correction": correction, "method": "normal"}],
                 {"statistic": num(r.statistic), "pValue": num(r.pvalue)}, f"{SCIPY} mannwhitneyu, asymptotic")
a, b = sample(5, "ties"), sample(6, "ties")
ranks = stats.rankdata(np.concatenate([a, b]))
sums = np.array([ranks[list(c)].sum() for c in itertools.combinations(range(11), 5)])
case("mannWhitneyU", [a.tolist(), b.tolist(), {"alternative": "greater"}], {"pValue": num((sums >= ranks[:5].sum() - 1e-9).mean())},
     "all choices of the midranks")

# --- permutation tests -------------------------------------------------------------------------------------------
a, b = sample(9, "normal"), sample(9, "normal")
for alternative in ALTERNATIVES:
    r = stats.permutation_test((a, b), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis), permutation_type="samples",
                               vectorized=True, n_resamples=np.inf, alternative=alternative)
    case("permutationTest", [a.tolist(), b.tolist(), {"alternative": alternative}],
         {"statistic": num(r.statistic), "pValue": num(r.pvalue)}, f"{SCIPY} permutation_test, samples, exact")
c = sample(6, "skewed")
for alternative in ["less", "greater"]:
    r = stats.permutation_test((a, c), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis), permutation_type="independent",
                               vectorized=True, n_resamples=np.inf, alternative=alternative)
    case("permutationTest", [a.tolist(), c.tolist(), {"alternative": alternative, "paired": False}],
         {"statistic": num(r.statistic), "pValue": num(r.pvalue)}, f"{SCIPY} permutation_test, independent, exact")

# --- McNemar -----------------------------------------------------------------------------------------------------
for table in [[[10, 3], [9, 20]], [[59, 6], [16, 80]], [[1, 1], [7, 12]], [[794, 86], [150, 570]], [[5, 0], [4, 3]]]:
    b_, c_ = table[0][1], table[1][0]
    r = contingency_tables.mcnemar(table, exact=True)
    share = stats.binomtest(b_, b_ + c_).proportion_ci(0.95, "exact")
    odds = lambda p: num(p / (1 - p)) if p < 1 else None
    want = {"statistic": num(r.statistic), "pValue": num(r.pvalue), "oddsRatio": num(b_ / c_), "ci.low": odds(share.low)}
    if share.high < 1:
        want["ci.high"] = odds(share.high)
    case("mcnemarTest", [{"table": table}, {"method": "exact"}], want, f"{STATSMODELS} mcnemar; {SCIPY} binomtest interval")
    for correction in [True, False]:
        r = contingency_tables.mcnemar(table, exact=False, correction=correction)
        case("mcnemarTest", [{"table": table}, {"method": "chi2", "correction": correction}],
             {"statistic": num(r.statistic), "pValue": num(r.pvalue)}, f"{STATSMODELS} mcnemar")
    midp = min(1, 2 * (stats.binom.cdf(min(b_, c_), b_ + c_, 0.5) - 0.5 * stats.binom.pmf(min(b_, c_), b_ + c_, 0.5)))
    case("mcnemarTest", [{"table": table}, {"method": "midp"}], {"pValue": num(midp)}, f"{SCIPY} binom")

# --- multiple comparisons ----------------------------------------------------------------------------------------
METHODS = {"bonferroni": "bonferroni", "holm": "holm", "sidak": "sidak", "holm-sidak": "holm-sidak",
           "hochberg": "simes-hochberg", "fdr_bh": "fdr_bh", "fdr_by": "fdr_by"}
for p in [[0.01, 0.04, 0.03, 0.005], [0.2, 0.001, 0.001, 0.9, 0.049, 0.0500001, 1.0], np.round(rng.random(15) ** 3, 8).tolist()]:
    for ours, theirs in METHODS.items():
        reject, adjusted, _, _ = multitest.multipletests(p, 0.05, theirs)
        case("adjustPValues", [p, ours, 0.05],
             {**{f"adjusted.{i}": num(v) for i, v in enumerate(adjusted)}, **{f"reject.{i}": bool(v) for i, v in enumerate(reject)}},
             f"{STATSMODELS} multipletests")

# --- proportions and odds ----------------------------------------------------------------------------------------
for x, n in [(0, 20), (1, 29), (15, 148), (81, 263), (990, 1000), (20, 20), (6021, 10570)]:
    for confidence in [0.95, 0.99]:
        low, high = proportion.proportion_confint(x, n, 1 - confidence, "wilson")
        case("wilsonInterval", [x, n, {"confidence": confidence}], {"low": max(0, num(low)) if x else 0, "high": num(high)},
             f"{STATSMODELS} proportion_confint")
        low, high = proportion.proportion_confint(x, n, 1 - confidence, "beta")
        case("clopperPearsonInterval", [x, n, {"confidence": confidence}], {"low": num(low), "high": num(high)},
             f"{STATSMODELS} proportion_confint")
for x, n in [(15, 148), (81, 263)]:
    r = stats.binomtest(x, n).proportion_ci(0.95, "wilsoncc")
    case("wilsonInterval", [x, n, {"correction": True}], {"low": num(r.low), "high": num(r.high)}, f"{SCIPY} binomtest, wilsoncc")
for x1, n1, x2, n2 in [(56, 70, 48, 80), (9, 10, 3, 10), (5, 56, 0, 29), (600, 1000, 570, 900)]:
    low, high = proportion.confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff")
    case("riskDifference", [{"successesA": x1, "nA": n1, "successesB": x2, "nB": n2}],
         {"difference": x1 / n1 - x2 / n2, "ci.low": num(low), "ci.high": num(high)}, f"{STATSMODELS} confint_proportions_2indep")
for table in [[[10, 5], [3, 12]], [[600, 400], [570, 330]], [[7, 1], [2, 9]]]:
    t = contingency_tables.Table2x2(np.array(table), shift_zeros=False)
    low, high = t.oddsratio_confint()
    case("oddsRatio", [table], {"oddsRatio": num(t.oddsratio), "ci.low": num(low), "ci.high": num(high)}, f"{STATSMODELS} Table2x2")

for table in [[[3, 1], [1, 3]], [[2, 15], [10, 3]], [[60, 40], [45, 55]]]:
    r = stats.contingency.odds_ratio(table, kind="conditional")
    ci = r.confidence_interval(0.95)
    case("oddsRatio", [table, {"method": "exact"}], {"oddsRatio": num(r.statistic), "ci.low": num(ci.low), "ci.high": num(ci.high)},
         f"{SCIPY} odds_ratio, conditional")

# --- effect sizes ------------------------------------------------------------------------------------------------


def nct_limits(t, df, scale):
    # scipy.special.nctdtr returns NaN a few units from its centre; scipy.stats.nct (Boost) does not.
    f = lambda target: optimize.brentq(lambda nc: stats.nct.cdf(t, df, nc) - target, t - 6, t + 6, xtol=1e-14, rtol=1e-15)
    return num(f(0.975) * scale), num(f(0.025) * scale)


def hedges(df):
    return num(np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2))


for m, n in [(8, 12), (25, 25), (60, 40)]:
    a, b = sample(m, "normal"), sample(n, "skewed")
    df = m + n - 2
    sd = np.sqrt(((m - 1) * a.var(ddof=1) + (n - 1) * b.var(ddof=1)) / df)
    d = (a.mean() - b.mean()) / sd
    scale = np.sqrt(1 / m + 1 / n)
    low, high = nct_limits(d / scale, df, scale)
    case("cohensD", [a.tolist(), b.tolist()], {"d": num(d), "hedgesG": num(d * hedges(df)), "ci.low": low, "ci.high": high},
         f"numpy; {SCIPY} nct")
    a, b = sample(m, "normal"), sample(m, "normal")
    gap = a - b
    d = gap.mean() / gap.std(ddof=1)
    scale = 1 / np.sqrt(m)
    low, high = nct_limits(d / scale, m - 1, scale)
    case("cohensD", [a.tolist(), b.tolist(), {"paired": True}],
         {"d": num(d), "hedgesG": num(d * hedges(m - 1)), "ci.low": low, "ci.high": high}, f"numpy; {SCIPY} nct")

# --- power -------------------------------------------------------------------------------------------------------
for d in [0.2, 0.5, 0.8]:
    for n in [10, 50, 400]:
        for ours, theirs in [("two-sided", "two-sided"), ("greater", "larger")]:
            p = power.TTestPower().power(d, n, 0.05, alternative=theirs)
            if np.isnan(p):  # statsmodels, for noncentralities of 10 and above
                continue
            case("power", [{"test": "t-paired", "effectSize": d, "n": n, "alternative": ours}], {"power": num(p)}, f"{STATSMODELS} TTestPower")
            p = power.TTestIndPower().power(d, n, 0.01, ratio=1.5, alternative=theirs)
            case("power", [{"test": "t-independent", "effectSize": d, "n": n, "ratio": 1.5, "alpha": 0.01, "alternative": ours}],
                 {"power": num(p)}, f"{STATSMODELS} TTestIndPower")
for d, goal in [(0.2, 0.8), (0.35, 0.9), (0.5, 0.8), (0.8, 0.95)]:
    n = power.TTestPower().solve_power(d, None, 0.05, goal)
    case("requiredSamples", [{"test": "t-paired", "effectSize": d, "power": goal}], {"n.0": int(np.ceil(n))}, f"{STATSMODELS} TTestPower")
    n = power.TTestIndPower().solve_power(d, None, 0.05, goal)
    case("requiredSamples", [{"test": "t-independent", "effectSize": d, "power": goal}], {"n.0": int(np.ceil(n)), "n.1": int(np.ceil(n))},
         f"{STATSMODELS} TTestIndPower")
for n, goal in [(30, 0.8), (500, 0.9)]:
    critical = stats.t.isf(0.025, n - 1)
    reach = lambda d: stats.nct.sf(critical, n - 1, d * np.sqrt(n)) + stats.nct.cdf(-critical, n - 1, d * np.sqrt(n)) - goal
    case("minimumDetectableEffect", [{"test": "t-paired", "n": n, "power": goal}],
         {"effect": num(optimize.brentq(reach, 0.01, 6 / np.sqrt(n), xtol=1e-15, rtol=1e-14))}, f"{SCIPY} nct, brentq")


def mcnemar_power(p10, p01, n, alpha, pvalue):
    total = 0.0
    for m in range(1, n + 1):
        reject = [k for k in range(m + 1) if pvalue(k, m) <= alpha]
        total += stats.binom.pmf(m, n, p10 + p01) * stats.binom.pmf(reject, m, p10 / (p10 + p01)).sum()
    return num(total)


exact_p = lambda k, m: min(1, 2 * stats.binom.cdf(min(k, m - k), m, 0.5))
midp_p = lambda k, m: min(1, 2 * stats.binom.cdf(min(k, m - k), m, 0.5) - stats.binom.pmf(k, m, 0.5))
for p10, p01, n in [(0.2, 0.1, 100), (0.05, 0.15, 60), (0.3, 0.25, 150)]:
    for variant, f in [("exact", exact_p), ("midp", midp_p)]:
        case("power", [{"test": "mcnemar", "firstOnly": p10, "secondOnly": p01, "n": n, "variant": variant}],
             {"power": mcnemar_power(p10, p01, n, 0.05, f)}, "sum over all outcomes with scipy binom")


def proportions_power(p1, p2, n1, n2, alpha):
    x, y = np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij")
    pooled = (x + y) / (n1 + n2)
    with np.errstate(all="ignore"):
        z = (x / n1 - y / n2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    mass = np.outer(stats.binom.pmf(np.arange(n1 + 1), n1, p1), stats.binom.pmf(np.arange(n2 + 1), n2, p2))
    return num(mass[np.abs(np.nan_to_num(z)) >= stats.norm.isf(alpha / 2)].sum())


for p1, p2, n, ratio in [(0.5, 0.75, 50, 1), (0.1, 0.2, 120, 1), (0.6, 0.65, 200, 2)]:
    case("power", [{"test": "proportions", "p1": p1, "p2": p2, "n": n, "ratio": ratio}],
         {"power": proportions_power(p1, p2, n, n * ratio, 0.05)}, "sum over all outcomes with scipy binom")

# --- aggregates --------------------------------------------------------------------------------------------------
runs = {"pong": sample(7, "normal").tolist(), "chess": sample(9, "skewed").tolist()}
other = {"pong": sample(5, "normal").tolist(), "chess": sample(6, "skewed").tolist()}
case("interquartileMean", [runs, {"resamples": 200}], {"estimate": num(stats.trim_mean(runs["pong"] + runs["chess"], 0.25))}, f"{SCIPY} trim_mean")
u = [stats.mannwhitneyu(runs[k], other[k]).statistic / (len(runs[k]) * len(other[k])) for k in runs]
case("probabilityOfImprovement", [runs, other, {"resamples": 200}], {"probability": num(np.mean(u)), "byTask.pong": num(u[0])}, f"{SCIPY} mannwhitneyu")

lines = ",\n".join(" " + json.dumps(c) for c in cases)
Path(__file__).with_name("references.json").write_text(f"[\n{lines}\n]\n")
print(len(cases), "cases,", sum(len(c["want"]) for c in cases), "values")
