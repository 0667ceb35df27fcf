"""scikit-learn on hocket: a search for the best parameters, its many fits on a cluster.

Needs scikit-learn: pip install hocket "hocket-client[joblib]" scikit-learn
"""

from __future__ import annotations

from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import hocket.client.joblib  # noqa: F401 - registers the backend
from hocket.client import Client

images, digits = load_digits(return_X_y=True)
search = GridSearchCV(SVC(), {"C": [0.1, 1, 10], "gamma": [0.0001, 0.001]}, cv=3)

with Client() as client, parallel_config(backend="hocket", client=client):
    search.fit(images, digits)

fits_count = search.n_splits_ * len(search.cv_results_["params"])
print(f"{len(images)} images of digits, {fits_count} fits")
print(f"best: {search.best_params_}, right for {search.best_score_:.1%}")
