"""What an answer looks like whoever reads it: empty, or going round in circles."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

N_RUNS = 3
N_IN_A_ROW = 4


def is_empty(text: str) -> bool:
    """No letter and no digit."""
    return not any(character.isalnum() for character in text)


def is_repetitive(text: str) -> bool:
    """One run of three words said three times or more, or one word four times in a row."""
    words = text.lower().split()
    runs = Counter(zip(words, words[1:], words[2:], strict=False))
    looping = bool(runs) and max(runs.values()) >= N_RUNS
    stuck = any(len(list(same)) >= N_IN_A_ROW for _, same in groupby(words))
    return looping or stuck
