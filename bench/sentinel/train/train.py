"""Trains models on labelled logins and attacks, and writes their figures as data.

    python train.py FOLDER FILE

FOLDER is what `npm run bench:sentinel -- --features FOLDER` wrote: one folder for each data set. FILE receives
the figures (bench/sentinel/data/trained.json). The models learn from the validation period of all seeds and are
measured in the test period, which is later and disjoint. They are what a service could reach that had labels of every
kind of attacker; no service has them when it begins.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# The shares of real logins challenged, as in report/outcome.ts.
EQUAL_SHARES = (0.001, 0.01, 0.05, 0.1, 0.2)
COMMAND = "python bench/sentinel/train/train.py FEATURES bench/sentinel/data/trained.json"
TREES = "trees, trained"
REGRESSION = "regression, trained"


def read_rows(folder):
    """Returns the periods, the kinds and the features of all rows of a data set."""
    periods, kinds, values = [], [], []
    for file in sorted(folder.glob("*.csv")):
        with file.open() as lines:
            reader = csv.reader(lines)
            next(reader)
            for _, period, kind, *features in reader:
                periods.append(period)
                kinds.append(kind)
                values.append([float(feature) for feature in features])
    return np.array(periods), np.array(kinds), np.array(values)


def create_models():
    trees = HistGradientBoostingClassifier(
        max_iter=300, learning_rate=0.05, min_samples_leaf=60, l2_regularization=1.0, random_state=1
    )
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=1.0))
    return {REGRESSION: regression, TREES: trees}


def weigh(is_attack):
    """Attacks and real logins weigh the same together, because there are several attacks for each real login."""
    share = is_attack.mean()
    return np.where(is_attack, 0.5 / share, 0.5 / (1 - share))


def fit(model, values, is_attack):
    weights = weigh(is_attack)
    if isinstance(model, HistGradientBoostingClassifier):
        model.fit(values, is_attack, sample_weight=weights)
    else:
        model.fit(values, is_attack, logisticregression__sample_weight=weights)


def compute_recall(real, attacks, share):
    """The attacks above the score that challenges at most this share of real logins (see metrics.ts)."""
    first = np.sort(real)[::-1][int(share * len(real))]
    return float((attacks > first).mean())


def measure(scores, kinds):
    real = scores[kinds == "real"]
    figures = {}
    for kind in sorted(set(kinds) - {"real"}):
        attacks = scores[kinds == kind]
        labels = np.concatenate([np.zeros(len(real)), np.ones(len(attacks))])
        figures[kind] = {
            "auc": round(float(roc_auc_score(labels, np.concatenate([real, attacks]))), 5),
            "recall": [round(compute_recall(real, attacks, share), 5) for share in EQUAL_SHARES],
        }
    return figures


def train(folder):
    about = json.loads((folder / "data.json").read_text())
    periods, kinds, values = read_rows(folder)
    is_known, is_tested = periods == "validation", periods == "test"
    for name, model in create_models().items():
        fit(model, values[is_known], kinds[is_known] != "real")
        scores = model.decision_function(values[is_tested])
        attackers = measure(scores, kinds[is_tested])
        yield {"model": name, "command": COMMAND, **about, "attackers": attackers}


def main():
    folder, file = Path(sys.argv[1]), Path(sys.argv[2])
    records = [
        record for own in sorted(folder.iterdir()) if own.is_dir() for record in train(own)
    ]
    file.write_text(json.dumps(records, indent=1) + "\n")


main()
