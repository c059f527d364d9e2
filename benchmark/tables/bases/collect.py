"""The published training records, and what several of them say together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.core.errors import UserError
from benchmark.core.store import REPOSITORY, Results, write_atomic
from benchmark.testbed.records import RECORD, BaseRecord, read_base

DEFAULT, REPLAY = "default", "refusal_replay"
# Models of their own, which are no ablations of the default one.
TARGETS = {"unaligned", "stage2", "gold"}
FEWEST_SEEDS = 3
SHIPPED = REPOSITORY / "benchmark" / "testbed" / "weights" / "testbed-llava" / RECORD


@dataclass(frozen=True, kw_only=True)
class Bases:
    """The shipped model's training, and what is published: fresh seeds of the same recipe, and
    ablations of it."""

    shipped: BaseRecord
    seeds: tuple[BaseRecord, ...]
    ablations: tuple[BaseRecord, ...]

    def beside(self, ablation: BaseRecord) -> BaseRecord | None:
        """The default recipe with the same seed: what an ablation is compared with."""
        return next((one for one in self.seeds if one.seed == ablation.seed), None)


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
    figures between its stages, of the shipped model itself or another target, of settings that are
    not the shipped model's, or, without `replace`, in whose place another is published.
    """
    path = checkpoint / RECORD if checkpoint.is_dir() else checkpoint
    found, shipped = read_base(path), read_base(SHIPPED)
    if found.name == shipped.name:
        raise UserError(f"{path}: '{found.name}' is the shipped model, which fresh seeds are for")
    if any(git.dirty is not False for git in (found.git, *found.trained_by.values())):
        raise UserError(f"{path}: trained on an edited or unknown tree; train it on a clean one")
    if found.acceptance is None or not found.after_stage or not found.trained_by:
        raise UserError(f"{path}: lacks figures of its stages; train it with today's recipe")
    _check_recipe(found, shipped, path)
    target = bases_folder(results) / f"{found.name}.json"
    if target.exists() and target.read_text() != found.as_text() and not replace:
        raise UserError(f"{target}: another training is published there; --replace puts yours")
    write_atomic(target, found.as_text())
    return target


def _check_recipe(found: BaseRecord, shipped: BaseRecord, path: Path) -> None:
    """Only what differs from the shipped model by its seed, or by what an ablation is for, says
    something of it."""
    if found.architecture != shipped.architecture:
        raise UserError(
            f"{path}: of '{found.architecture}'; the page is about {SHIPPED.parent.name}"
        )
    if found.variant in TARGETS:
        raise UserError(f"{path}: '{found.variant}' is neither the default recipe nor an ablation")
    # What a recipe replays is what the ablations are about.
    differing = [
        name
        for name, value in shipped.plan.items()
        if found.plan.get(name) != value and (found.variant == DEFAULT or name != REPLAY)
    ]
    if differing:
        raise UserError(f"{path}: not the shipped model's settings: {', '.join(differing)}")
