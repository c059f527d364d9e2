"""Is an answer right, by its data set's own metric?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

F1_BAR = 0.5
"""From this token F1 on an answer counts as right where a yes or no is needed."""


def match(answer: str, references: Sequence[str], metric: str) -> float:
    """How right an answer is, 0 to 1, against the best of its references.

    `exact`: equal once case, spacing and a final stop are set aside. `contains`: a reference occurs
    in it as whole words. `token_f1`: harmonic mean of precision and recall over words (SQuAD,
    Rajpurkar et al. 2016, arXiv:1606.05250, but articles are kept). Raises ValueError for another.
    """
    if metric == "exact":
        return float(any(_plain(answer) == _plain(reference) for reference in references))
    words = _words(answer)
    if metric == "contains":
        return float(any(_occurs(_words(reference), words) for reference in references))
    if metric == "token_f1":
        return max((_f1(words, _words(reference)) for reference in references), default=0.0)
    raise ValueError(f"no reference metric '{metric}'")


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).removesuffix(".").rstrip()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _occurs(part: Sequence[str], whole: Sequence[str]) -> bool:
    n = len(part)
    return n > 0 and any(whole[i : i + n] == part for i in range(len(whole) - n + 1))


def _f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    shared = (Counter(answer) & Counter(reference)).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / len(answer), shared / len(reference)
    return 2 * precision * recall / (precision + recall)
