"""Random generators are put back, kept in a file and lent, to the last draw."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark.training.draws import Draws, OwnDraws, seed_all


@pytest.fixture(autouse=True)
def _as_they_were() -> Iterator[None]:
    before = Draws.now()
    yield
    before.put()


def drawn() -> tuple[float, ...]:
    """One of each; a normal one as well, of which Python and NumPy keep a spare."""
    return (
        random.random(), random.gauss(0, 1), float(np.random.rand()), float(np.random.randn()),
        float(torch.rand(())), float(torch.randn(())),
    )  # fmt: skip


@given(st.integers(0, 2**40), st.integers(0, 3))
def test_they_go_on_from_where_they_stood_in_memory_and_from_a_file(seed: int, n: int) -> None:
    seed_all(seed)
    for _ in range(n):
        drawn()
    stand = Draws.now()
    file = io.BytesIO()
    torch.save(stand.saved(), file)
    file.seek(0)
    expected = [drawn(), drawn()]
    stand.put()
    assert [drawn(), drawn()] == expected
    Draws.read(torch.load(file, weights_only=True)).put()
    assert [drawn(), drawn()] == expected


def test_others_draw_in_between_and_notice_nothing() -> None:
    seed_all(1)
    alone = [drawn() for _ in range(4)]
    seed_all(2)
    others = [drawn() for _ in range(4)]
    seed_all(2)
    own, mine, theirs = OwnDraws(1), [], []
    for _ in range(4):
        with own.drawn():
            mine.append(drawn())
        theirs.append(drawn())
    assert (mine, theirs) == (alone, others)
