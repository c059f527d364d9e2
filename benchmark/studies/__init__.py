"""Studies: a declared set of rows on one suite and model that answers one question.

They stand apart from the main boards. One YAML file each: which rows and seeds, what differences
are taken to, and how the answer is shown. A row that the main board has is read from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from benchmark.core import registry
from benchmark.core.config import check_called, merge, parse_overrides, read_described
from benchmark.core.method_config import Count
from benchmark.core.rows import BASE, row_name, split_row

View = Literal["figures", "differences", "forms", "terms", "coverage", "costs"]


class ForgetPool(BaseModel):
    """What all of a suite's forget pool is, for rows that are given a part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    n_categories: Count
    n_behaviours: Count


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One row: its name as everywhere, what tells it from the others of its method, the loss terms
    that are switched off in it, and the preset that is laid under its settings."""

    name: str
    method: str
    label: str
    settings: Mapping[str, JsonValue]
    off: frozenset[str] = frozenset()
    preset: str | None = None

    @property
    def typed(self) -> str:
        """Its name as one types it, without the preset's."""
        return row_name(self.method, self.settings) if self.preset else self.name


class Study(BaseModel):
    """A question and the rows that answer it.

    `rows` are named in full, behind an @ a preset; `methods` x `settings` x `switches` adds every
    combination: `settings` maps a label to what is set, `switches` a name to the setting that turns
    it off. `by_default` is what these methods do anyway, so that a row does not name it (records
    are checked for it). `out_of_scope` maps an attack family to why no figure is shown there.
    `labels` says what a named row is called on the page, where that is not its settings.
    `forget_pool` is all that rows of the view `coverage` have parts of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    title: str
    question: str
    suite: str
    model: str
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    rows: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    settings: dict[str, dict[str, JsonValue]] = {"": {}}
    by_default: dict[str, JsonValue] = {}
    switches: dict[str, str] = {}
    against: str = BASE
    views: tuple[View, ...] = Field(min_length=1)
    out_of_scope: dict[str, str] = {}
    labels: dict[str, str] = {}
    forget_pool: ForgetPool | None = None
    notes: tuple[str, ...] = ()

    @property
    def all_rows(self) -> tuple[StudyRow, ...]:
        """Every row, in the order declared; the untouched model is not among them."""
        return (*map(self._named, self.rows), *self._combined())

    def row(self, name: str) -> StudyRow | None:
        """The row of that name; None if the study has no such row."""
        return next((row for row in self.all_rows if row.name == name), None)

    def _named(self, name: str) -> StudyRow:
        typed, _, preset = name.partition("@")
        method, settings = split_row(typed)
        label = ", ".join(filter(None, [*typed.split("+")[1:], preset]))
        return StudyRow(
            name=name, method=method, label=self.labels.get(name, label), settings=settings,
            preset=preset or None,
        )  # fmt: skip

    def _combined(self) -> Iterator[StudyRow]:
        turns = product((False, True), repeat=len(self.switches))
        patterns = [
            frozenset(n for n, off in zip(self.switches, t, strict=True) if off) for t in turns
        ]
        for method, (label, given), off in product(self.methods, self.settings.items(), patterns):
            turned_off = parse_overrides(
                self.switches[name] for name in self.switches if name in off
            )
            settings = merge(given, turned_off)
            named = {k: v for k, v in settings.items() if self.by_default.get(k) != v}
            words = [label] if label else []
            if self.switches:
                words.append(_terms_left(self.switches, off))
            yield StudyRow(
                name=row_name(method, named), method=method, label=", ".join(words),
                settings=settings, off=off,
            )  # fmt: skip

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [row.name for row in self.all_rows]
        if not names:
            raise ValueError("rows, methods: a study needs rows")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rows: '{twice[0]}' is there twice")
        if self.against not in (BASE, *names):
            raise ValueError(f"against: '{self.against}' is not one of the rows")
        if "terms" in self.views and (len(self.methods) != 1 or len(self.settings) != 1):
            raise ValueError("views: 'terms' needs one method, one settings and its switches")
        if ("terms" in self.views) != bool(self.switches):
            raise ValueError("switches: they and the view 'terms' go together")
        if ("coverage" in self.views) != (self.forget_pool is not None):
            raise ValueError("forget_pool: it and the view 'coverage' go together")
        strange = [name for name in self.labels if name not in self.rows]
        if strange:
            raise ValueError(f"labels: '{strange[0]}' is not one of the rows")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: one is there twice")
        return self


def load_study(name_or_path: str) -> Study:
    """The study behind a name or a YAML path; what is wrong in it is one `UserError` line."""
    found = registry.entry("study", name_or_path)
    study = read_described(found.path, Study)
    check_called(found.path, study.name)
    return study


def all_studies() -> list[Study]:
    """Every declared study, by name."""
    return [load_study(name) for name in registry.names("study")]


def _terms_left(switches: Mapping[str, str], off: frozenset[str]) -> str:
    return " + ".join(name for name in switches if name not in off) or "none"
