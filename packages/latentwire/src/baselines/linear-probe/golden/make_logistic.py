"""Writes logistic.json: fits of scikit-learn's LogisticRegression (lbfgs, tolerance 1e-10) to small seeded data.

    python make_logistic.py      (scikit-learn 1.9)
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

cases = []
for name, seed, n, features, classes, c in [
    ("binary", 1, 40, 3, 2, 1.0),
    ("binary, strong penalty", 2, 30, 5, 2, 0.01),
    ("three classes", 3, 60, 4, 3, 1.0),
    ("six classes, weak penalty", 4, 90, 6, 6, 20.0),
    ("more features than examples", 5, 12, 20, 3, 0.5),
]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, features))
    y = np.arange(n) % classes
    x = np.round((centres[y] + rng.normal(size=(n, features)) * 1.5) * rng.uniform(0.1, 9, size=features), 3)
    scaled = StandardScaler().fit_transform(x)
    fit = LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(scaled, y)
    weights = np.concatenate([fit.coef_, fit.intercept_[:, None]], axis=1)
    cases.append(
        {
            "name": name,
            "c": c,
            "classes": classes,
            "x": x.tolist(),
            "y": y.tolist(),
            "weights": weights.tolist(),
            "predictions": fit.predict(scaled).tolist(),
        }
    )

path = pathlib.Path(__file__).parent / "logistic.json"
path.write_text(json.dumps({"library": f"scikit-learn {sklearn.__version__}", "cases": cases}) + "\n")
