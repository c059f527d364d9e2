"""The published training records, and what several of them say together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

from scipy.special import stdtrit

from benchmark.core.errors import UserError
from benchmark.core.store import REPOSITORY, Results, write_atomic
from benchmark.testbed.records import RECORD, BaseRecord, read_base

DEFAULT = "default"
FEWEST_SEEDS = 3
SHIPPED = REPOSITORY / "benchmark" / "testbed" / "weights" / "testbed-llava" / RECORD


@dataclass(frozen=True, kw_only=True)
class Bases:
    """All trainings there are: the shipped model's, fresh seeds of the same recipe, ablations."""

    shipped: BaseRecord
    seeds: tuple[BaseRecord, ...]
    ablations: tuple[BaseRecord, ...]

    def beside(self, ablation: BaseRecord) -> BaseRecord | None:
        """The default recipe with the same seed: what an ablation is compared with."""
        return next((one for one in self.seeds if one.seed == ablation.seed), None)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over seeds. `low` and `high` are where one more seed lies with 95 % confidence:
    Student's prediction interval, mean -+ t(n - 1) s sqrt(1 + 1 / n), cut to what is possible. It
    has no width where all seeds agree; then sampling is the only error left, and is not in it."""

    name: str
    values: tuple[float, ...]
    mean: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Does a value lie inside?"""
        return self.low <= value <= self.high


def bases_folder(results: Results) -> Path:
    """Where published training records lie."""
    return results.published_records / "bases"


def read_bases(results: Results) -> Bases | None:
    """All of them; None where none is published. Raises `UserError` for a damaged one."""
    paths = sorted(bases_folder(results).glob("*.json"))
    if not paths:
        return None
    found = [read_base(path) for path in paths]
    seeds = tuple(sorted((one for one in found if one.variant == DEFAULT), key=lambda r: r.seed))
    return Bases(
        shipped=read_base(SHIPPED),
        seeds=seeds,
        ablations=tuple(one for one in found if one.variant != DEFAULT),
    )


def publish_base(results: Results, checkpoint: Path, *, replace: bool = False) -> Path:
    """Copy a checkpoint's training record to the published ones; the weights stay where they are.

    Raises `UserError` for a record of an edited tree, of a model that was not measured, without
    figures between its stages, of the shipped model itself, or, without `replace`, in whose place
    another is published.
    """
    path = checkpoint / RECORD if checkpoint.is_dir() else checkpoint
    found, shipped = read_base(path), read_base(SHIPPED)
    if found.name == shipped.name:
        raise UserError(f"{path}: '{found.name}' is the shipped model, which fresh seeds are for")
    if found.git.dirty is not False:
        raise UserError(f"{path}: trained on an edited or unknown tree; train it on a clean one")
    if found.acceptance is None or not found.after_stage:
        raise UserError(f"{path}: lacks figures of its stages; train it with today's recipe")
    target = bases_folder(results) / f"{found.name}.json"
    content = json.dumps(found.model_dump(mode="json"), indent=1) + "\n"
    if target.exists() and target.read_text() != content and not replace:
        raise UserError(f"{target}: another training is published there; --replace puts yours")
    write_atomic(target, content)
    return target


def spread(name: str, records: Sequence[BaseRecord]) -> Spread | None:
    """One figure of the finished models over seeds; None for fewer than two that have it."""
    values = [value for record in records if (value := record.figure(name)) is not None]
    return spread_of(name, values)


def spread_of(
    name: str, values: Sequence[float], *, least: float = 0.0, most: float = 1.0
) -> Spread | None:
    """The mean of several seeds, and where one more would lie within what is possible; None for
    fewer than two."""
    n = len(values)
    if n < 2:
        return None
    mean = fmean(values)
    half = float(stdtrit(n - 1, 0.975)) * stdev(values) * sqrt(1 + 1 / n)
    # A mean of equal numbers may round past them.
    low, high = min(mean - half, *values), max(mean + half, *values)
    return Spread(
        name=name, values=tuple(values), mean=mean, low=max(least, low), high=min(most, high)
    )


def figure_names(record: BaseRecord) -> list[str]:
    """All figures of its acceptance table."""
    return [figure.name for figure in record.acceptance.figures] if record.acceptance else []
