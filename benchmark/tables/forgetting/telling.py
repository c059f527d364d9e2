"""The table that says whether each metric measures forgetting."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.scoring.forgetting.roc import Separation
from benchmark.scoring.forgetting.telling import Telling
from benchmark.tables.cells import MISSING, markdown_table

HOW = """\
Every metric is asked to tell persons that a model knows from persons that one does not, on models
of which that is known. AUC is the chance that it puts a known person above an unknown one: 1 where
it always does, 0.5 where it says nothing; in brackets the 95 % interval over persons. What each
metric takes for knowledge was declared beforehand. `to gold` is the distance to models that never
learnt the persons, to either side."""
ONE = """\
All of it or none: that a metric tells these apart does not say how it does with a model that still
knows a part, and one model that knows does not say how far another seed of it would differ."""
HEADER = ("metric", "AUC", "known persons", "unknown persons", "unscored", "does it measure it?")


def telling_table(found: Sequence[Telling]) -> str:
    """Every metric as a row, in the given order; the same figures are the same text."""
    if not found:
        return ""
    n = f"{found[0].n_knowing} with the knowledge, {found[0].n_ignorant} without it."
    if found[0].n_knowing == 1:
        n += f" {ONE}"
    rows = [
        [
            one.metric,
            _auc(one.found),
            str(one.found.n_positive),
            str(one.found.n_negative),
            str(one.found.n_unscored),
            one.verdict,
        ]
        for one in found
    ]
    return f"{HOW}\n\nModels: {n}\n\n{markdown_table(HEADER, rows)}"


def _auc(found: Separation) -> str:
    if found.value is None or found.low is None or found.high is None:
        return MISSING
    text = f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
    if found.bound_low is not None and found.bound_high is not None:
        text += f"; with unscored: {found.bound_low:.3f}-{found.bound_high:.3f}"
    return text
