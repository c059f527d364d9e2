"""What a method goes by on each visual token of one request's images.

Shapes: I images, N visual tokens per image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from benchmark.core.errors import UserError
from benchmark.core.samples import Sample
from benchmark.engines.local import LocalEngine
from benchmark.tables.figures.tokens import ExplainedImage, TokenMap


def explained_images(engine: LocalEngine, sample: Sample) -> tuple[ExplainedImage, ...]:
    """One per image. Raises `UserError` for a method that explains nothing of visual tokens."""
    found = {name: tensor.cpu() for name, tensor in engine.explain([sample]).items()}
    by_token = {name: tensor for name, tensor in found.items() if tensor.ndim == 2}
    if not by_token:
        raise UserError(
            "this method says nothing of single visual tokens: it has no hook that rewrites them "
            "and explains it with figures [I, N]"
        )
    return tuple(
        ExplainedImage(
            path=str(image.path),
            sha256=image.sha256,
            maps=tuple(
                TokenMap(name=name, rows=_square(tensor[index].float()))
                for name, tensor in by_token.items()
                if tensor.dtype != torch.bool
            ),
            outlined=_outlined(by_token, index),
            figures={n: float(t[index]) for n, t in found.items() if t.ndim == 1},
        )
        for index, image in enumerate(sample.images)
    )


def _outlined(by_token: Mapping[str, Tensor], index: int) -> tuple[tuple[bool, ...], ...]:
    """Tokens that any yes-or-no figure says yes to; empty where there is none."""
    marks = [tensor[index] for tensor in by_token.values() if tensor.dtype == torch.bool]
    if not marks:
        return ()
    rows = _square(torch.stack(marks).any(dim=0).float())
    return tuple(tuple(value > 0 for value in row) for row in rows)


def _square(figures_N: Tensor) -> tuple[tuple[float, ...], ...]:
    side = math.isqrt(len(figures_N))
    if side * side != len(figures_N):
        raise UserError(f"{len(figures_N)} visual tokens per image do not lie in a square")
    return tuple(tuple(row) for row in figures_N.view(side, side).tolist())
