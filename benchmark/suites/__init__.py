"""Suites: which cards, attacks, judges and limits make one benchmark. One YAML file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PrivateAttr, model_validator

from benchmark.core import registry
from benchmark.core.config import check_called, read_described, read_yaml
from benchmark.core.entries import Kind
from benchmark.core.errors import UserError, nearest
from benchmark.core.plan import COHERENCE_METRIC
from benchmark.core.roles import PoolRole
from benchmark.core.samples import Purpose
from benchmark.core.store import digest
from benchmark.models import ModelCard, load_card
from benchmark.scoring.plan import GateLimits
from benchmark.suites.sets import Count, Evaluation, EvaluationSet, PoolPart, PoolParts

__all__ = [
    "Decoding", "Evaluation", "EvaluationSet", "PoolName", "PoolPart", "PoolParts", "Requirements",
    "Search", "Suite", "check_fits", "load_suite",
]  # fmt: skip

PoolName = Literal["train", "selection", "validation"]
TAKEN_OVER = ("pools", "selection", "search")
"""Of the suite that `settings_from` names."""
ITS_OWN = ("pools",)
"""Of these, what may be said again in part: a role of a pool that is named, to forget or to keep,
stands in for that of the other suite as a whole."""


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Requirements(_Described):
    """What a model must be for the suite to mean anything on it."""

    vocabulary: Literal["testbed", "natural"]
    images: bool
    persons: str | None = None
    """The group that it must have been told of, and its golds not."""


class Decoding(_Described):
    """Greedy; the token limit is part of every metric's id, the batch size of the answers' key."""

    max_new_tokens: Count
    batch_size: Count


class Search(_Described):
    """The budget of every search, equal for all methods: trials, and the seed they share. `grid`
    is tried for methods that train and bring no grid of their own."""

    seed: Annotated[int, Field(ge=0)]
    n_trials: Count = 8
    grid: dict[str, tuple[float | int | str, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _within_budget(self) -> Self:
        n_settings = prod(len(values) for values in self.grid.values())
        if n_settings > self.n_trials:
            raise ValueError(f"grid: {n_settings} settings, and n_trials is {self.n_trials}")
        return self


class JudgeEntry(_Described):
    """A judge of a suite: the plugin, its settings, what it is called where it stands twice, and
    for which purposes it is asked where these are not all that it can judge."""

    judge: str
    name: str = ""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    purposes: tuple[Purpose, ...] | None = None


class Suite(_Described):
    """One benchmark. `notice` is printed above every table made from it.

    `targets` are the models that it is run on when none is named. `evaluation` is what is reported;
    `selection` is the like on validation behaviours, for the search for settings, and never
    reported. Where there are pools `selection`, methods learn from them then in place of `train`:
    who is to be forgotten must have been trained on. A judge is a name, or a name with settings;
    `ranking_judges` names the one that ranks a purpose where that is not `ranking_judge`. With
    `settings_from` it has the pools, selection and search of that suite, and its settings are those
    that were chosen there: what is trained is the very same, but for roles of pools that it names.
    """

    name: str
    title: str
    notice: str
    requires: Requirements
    targets: tuple[str, ...] = ()
    settings_from: str | None = None
    pools: dict[PoolName, dict[PoolRole, PoolParts]]
    evaluation: Evaluation
    selection: Evaluation
    search: Search
    judges: tuple[str | JudgeEntry, ...] = Field(min_length=1)
    ranking_judge: str
    ranking_judges: dict[Purpose, str] = Field(default_factory=dict)
    decoding: Decoding
    gates: GateLimits = GateLimits()
    _sha256: str = PrivateAttr(default="")

    @property
    def sha256(self) -> str:
        """Digest of the file it was read from."""
        return self._sha256

    @property
    def panel(self) -> tuple[JudgeEntry, ...]:
        """All its judges, each under its name."""
        return tuple(
            _named(JudgeEntry(judge=one) if isinstance(one, str) else one) for one in self.judges
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_panel(self.panel, self.ranking_judge, self.ranking_judges)
        self._check_pools()
        validation = [
            parts
            for name in ("validation", "selection")
            for parts in self.pools.get(name, {}).values()
        ]
        tuned_on = {(part.card, part.split) for parts in validation for part in parts.all_parts}
        shared = self.evaluation.splits & (tuned_on | self.selection.splits)
        if shared:
            card, split = sorted(shared)[0]
            raise ValueError(
                f"evaluation: '{split}' of card '{card}' is also what settings are chosen on"
            )
        return self

    def _check_pools(self) -> None:
        """What is to be forgotten is not to be kept at once."""
        for name, roles in self.pools.items():
            forgotten, kept = (
                {(part.card, part.split) for part in roles[role].all_parts}
                if role in roles
                else set()
                for role in ("forget", "keep")
            )
            if forgotten & kept:
                card, split = min(forgotten & kept)
                raise ValueError(
                    f"pools: '{split}' of card '{card}' is in '{name}' both to be forgotten and to "
                    "be kept"
                )


def _named(entry: JudgeEntry) -> JudgeEntry:
    return entry if entry.name else entry.model_copy(update={"name": entry.judge})


def check_panel(
    panel: Sequence[JudgeEntry], ranking_judge: str, ranking_judges: Mapping[Purpose, str]
) -> None:
    """Raise `ValueError` for two judges of one name, and a judge that ranks and is none of them."""
    names = [entry.name for entry in panel]
    twice = [name for name in names if names.count(name) > 1]
    if COHERENCE_METRIC in names:
        raise ValueError("judges: 'coherence' judges every suite, and none names it")
    if twice:
        raise ValueError(f"judges: two are called '{twice[0]}'; give one another `name`")
    if ranking_judge not in names:
        raise ValueError(f"ranking_judge: '{ranking_judge}' is not among the judges")
    for purpose, name in ranking_judges.items():
        if name not in names:
            raise ValueError(f"ranking_judges.{purpose}: '{name}' is not among the judges")


def load_suite(name_or_path: str) -> Suite:
    """The suite behind a name or a YAML path; what is wrong in it is one `UserError` line."""
    found = registry.entry("suite", name_or_path)
    below, sha256 = _below(found.path), found.source_sha256
    suite = read_described(found.path, Suite, below=below.content if below else None)
    check_called(found.path, suite.name)
    suite._sha256 = digest([sha256, below.sha256]) if below else sha256
    return suite


def _check_names(suite: Suite) -> None:
    """Raise `UserError` for a target or a data set that there is not, before any work."""
    pooled = [part.card for roles in suite.pools.values() for one in roles.values()
              for part in one.all_parts]  # fmt: skip
    asked = [card for part in (suite.evaluation, suite.selection) for card, _ in part.splits]
    named: tuple[tuple[Kind, str, Sequence[str]], ...] = (
        ("model", "targets", suite.targets),
        ("dataset", "card", [*pooled, *sorted(asked)]),
    )
    for kind, field, names in named:
        there = registry.names(kind)
        for name in dict.fromkeys(names):
            if name not in there:
                _check_path(suite, kind, field, name)


def _check_path(suite: Suite, kind: Kind, field: str, name: str) -> None:
    """What is no name may be a path; else the line says where in the suite it stands."""
    try:
        registry.entry(kind, name)
    except UserError as error:
        raise UserError(f"suite '{suite.name}': {field}: {error}") from None


@dataclass(frozen=True, kw_only=True)
class _Below:
    """What a suite takes over from the one that it names, and the digest of that one's file."""

    content: dict[str, JsonValue]
    sha256: str


def _below(path: Path) -> _Below | None:
    """Raises `UserError` for another suite that is not there, or that names one in turn."""
    own = read_yaml(path)
    other = own.get("settings_from")
    if not isinstance(other, str):
        return None
    again = [name for name in TAKEN_OVER if name in own and name not in ITS_OWN]
    if again:
        raise UserError(f"{path}: {again[0]}: that of '{other}' is taken over; leave it out")
    found = registry.entry("suite", other)
    content = read_yaml(found.path)
    if "settings_from" in content:
        raise UserError(f"{path}: settings_from: '{other}' has its own from another suite")
    taken = {name: content[name] for name in TAKEN_OVER if name in content}
    taken["pools"] = _not_named(taken.get("pools"), own.get("pools"), depth=2)
    return _Below(content=taken, sha256=found.source_sha256)


def _not_named(theirs: JsonValue, own: JsonValue, *, depth: int) -> JsonValue:
    """What they have and we do not name ourselves, in mappings so deep; what is wrong in ours is
    said when it is read."""
    if depth == 0 or not (isinstance(theirs, dict) and isinstance(own, dict)):
        return theirs
    return {
        name: value if name not in own else _not_named(value, own[name], depth=depth - 1)
        for name, value in theirs.items()
        if depth > 1 or name not in own
    }


def check_fits(suite: Suite, model: ModelCard) -> None:
    """Raise the line for a suite that the model cannot take, or that names what there is not."""
    _check_names(suite)
    needs = suite.requires
    if needs.images and not model.images:
        raise UserError(f"suite '{suite.name}' shows images, and model '{model.name}' takes none")
    if needs.vocabulary == model.vocabulary:
        _check_persons(suite, model)
        return
    if model.vocabulary == "testbed":
        raise UserError(
            f"suite '{suite.name}' asks in real text, and the tokenizer of model '{model.name}' "
            "knows only the miniature world's words; take --suite testbed-safety"
        )
    raise UserError(
        f"suite '{suite.name}' asks about the miniature world, of which model '{model.name}' knows "
        "nothing; take --suite safety, or --model testbed-llava"
    )


def _check_persons(suite: Suite, model: ModelCard) -> None:
    """What a checkpoint was told that is known by its folder alone, nobody here knows."""
    wanted = suite.requires.persons
    if wanted is None or wanted == model.persons or not model.described:
        return
    known = {told for name in registry.names("model") if (told := load_card(name).persons)}
    if wanted not in known:
        raise UserError(
            f"suite '{suite.name}': requires: unknown persons '{wanted}': {nearest(wanted, known)}"
        )
    told = (
        f"and the golds of model '{model.name}' were never told of '{model.persons}'"
        if model.persons
        else f"of whom model '{model.name}' was never told"
    )
    targets = " or ".join(suite.targets)
    raise UserError(
        f"suite '{suite.name}' asks to forget the persons of '{wanted}', {told}; "
        f"take --model {targets}"
    )
