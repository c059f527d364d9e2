"""The random generators that a training may draw from: Python's, NumPy's and torch's."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_all(seed: int) -> None:
    """Every generator that a method may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@dataclass(frozen=True)
class Draws:
    """Where every generator stands at one time."""

    python: tuple[Any, ...]
    numpy: tuple[Any, ...]
    torch: Tensor
    cuda: list[Tensor]

    @classmethod
    def now(cls) -> Draws:
        """As they stand."""
        return cls(
            python=random.getstate(),
            numpy=np.random.get_state(),  # type: ignore[arg-type]
            torch=torch.get_rng_state(),
            cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        )

    def put(self) -> None:
        """Let them go on from here."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.torch)
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(self.cuda)

    def saved(self) -> dict[str, Any]:
        """As tensors and words, which a file holds that is read without running what is in it."""
        kind, keys, *rest = self.numpy
        return {
            "torch_rng": self.torch,
            "cuda_rng": self.cuda,
            "python_rng": repr(self.python),
            "numpy_rng": repr((kind, keys.tolist(), *rest)),
        }

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> Draws:
        """What `saved` wrote."""
        kind, keys, *rest = ast.literal_eval(saved["numpy_rng"])
        return cls(
            python=ast.literal_eval(saved["python_rng"]),
            numpy=(kind, np.array(keys, dtype=np.uint32), *rest),
            torch=saved["torch_rng"],
            cuda=saved["cuda_rng"],
        )


class OwnDraws:
    """Generators of one's own, seeded, where others draw in between."""

    def __init__(self, seed: int) -> None:
        others = Draws.now()
        seed_all(seed)
        self._mine = Draws.now()
        others.put()

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """What is drawn inside comes from these; the others find theirs as they were."""
        others = Draws.now()
        self._mine.put()
        try:
            yield
        finally:
            self._mine = Draws.now()
            others.put()
