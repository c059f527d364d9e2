"""One method under check: loaded, built and let run, as often as the checks need it."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from benchmark.api import Hook, Method, MethodConfig, Unlearned
from benchmark.checks.outcome import Blocked, CheckFailed
from benchmark.checks.rehearsal import (
    Adapt,
    Interruption,
    Rehearsal,
    Wrap,
    as_it_is,
    run_through,
    short,
)
from benchmark.checks.settings import check_settings
from benchmark.checks.workbench import Workbench
from benchmark.core import registry
from benchmark.core.config import build
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.rows import split_row
from benchmark.engines.local import LocalEngine
from benchmark.models import ModelCard
from benchmark.stages.artifact import read_state, save
from benchmark.stages.attempt import Before, unlearn
from benchmark.stages.loaded import Loaded
from benchmark.stages.precision import precision_of
from benchmark.stages.surroundings import restored
from benchmark.training.loop import Report
from benchmark.vlm.artifacts import DELTA, WeightsDelta
from benchmark.vlm.model import VisionLanguageModel

MAX_NEW_TOKENS = 6
EVERY_STEP_S = 0.0


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A method that has run: what it left in memory and on disk."""

    method: Method[Any]
    model: VisionLanguageModel
    before: Before
    left: Unlearned
    left_behind: tuple[str, ...]
    folder: Path
    loop: Rehearsal


class Subject:
    """The method behind a name, a path or a row, on the workbench."""

    def __init__(self, name: str, bench: Workbench) -> None:
        self.name = name
        self.bench = bench
        self.plugin, self._overrides = split_row(name)
        self.entry = registry.entry("method", self.plugin)
        self._first: Ran | None = None

    @cached_property
    def method_type(self) -> type[Method[Any]]:
        """The plugin's class; `Blocked` if it cannot be imported."""
        try:
            found = registry.load("method", self.plugin)
        except (UserError, RunFailed):
            raise Blocked("imports") from None
        if not (isinstance(found, type) and issubclass(found, Method)):
            raise Blocked("imports")
        return found

    @cached_property
    def config(self) -> MethodConfig:
        """Its settings: the defaults under what the row sets; `Blocked` if their type is wrong."""
        config_type = self.method_type.Config
        try:
            check_settings(config_type)
        except CheckFailed:
            raise Blocked("config") from None
        return build(config_type, self._overrides, where=f"method '{self.name}'")

    @property
    def sources(self) -> list[Path]:
        """The plugin's own files."""
        path = self.entry.path
        return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]

    @property
    def docstring(self) -> str:
        """Of its module."""
        return ast.get_docstring(ast.parse(self.entry.path.read_bytes())) or ""

    def method(self) -> Method[Any]:
        """A new one, as a new process would make it."""
        return self.method_type(self.config)

    def loaded(self) -> Loaded:
        """The models that it works on."""
        return self.bench.loaded(self._precision)

    def other_model(self) -> VisionLanguageModel:
        """One that it was not made on."""
        return self.bench.other(self._precision)

    def first(self) -> Ran:
        """Its run through a few steps, made once; `Blocked` where that does not work."""
        try:
            return self.run_first()
        except Blocked:
            raise
        except Exception:
            raise Blocked("runs") from None

    def run_first(self) -> Ran:
        """The same, raising what goes wrong."""
        if self._first is None:
            self._first = self.run()
        return self._first

    def run(
        self,
        *,
        seed: int = 0,
        adapt: Adapt = short,
        wrap: Wrap = as_it_is,
        folder: Path | None = None,
        interruption: Interruption | None = None,
    ) -> Ran:
        """Run it as the runner does, on a fresh model; with a folder, on what lies there."""
        method, loaded = self.method(), self.loaded()
        folder = folder or self.new_folder()
        report: Report = interruption.report if interruption else run_through
        checkpointed: Callable[[], None] = (
            interruption.checkpointed if interruption else lambda: None
        )
        model = loaded.fresh(method.starts_from)
        with restored():
            before = Before.of(model)
            loop = Rehearsal(
                model=model,
                pools=self.bench.pools(method),
                seed=seed,
                folder=folder,
                report=report,
                checkpointed=checkpointed,
                checkpoint_every_s=EVERY_STEP_S,
                adapt=adapt,
                wrap=wrap,
            )
            left = unlearn(method, loop=loop, gold=partial(loaded.gold, 0))
            left_behind = tuple(before.left_behind(model))
        if left.weights is not None:
            left = replace(left, weights=loaded.on_start(method.starts_from, left.weights))
        save(folder, left)
        return Ran(
            method=method, model=model, before=before, left=left, left_behind=left_behind,
            folder=folder, loop=loop,
        )  # fmt: skip

    def reloaded(self, ran: Ran) -> VisionLanguageModel:
        """A fresh model with what lies on disk over it."""
        there = (ran.folder / DELTA).exists()
        delta = WeightsDelta.load(ran.folder) if there else None
        return self.loaded().unlearned("checked", delta)

    def reloaded_hooks(self, ran: Ran) -> Sequence[Hook]:
        """The hooks that a new process would build from the state on disk."""
        state = read_state(ran.folder) if ran.left.state else {}
        return tuple(self.method().hooks(state))

    def engine(self, model: VisionLanguageModel, hooks: Sequence[Hook] = ()) -> LocalEngine:
        """What answers, as in a run."""
        return LocalEngine(
            model, hooks=hooks, max_new_tokens=MAX_NEW_TOKENS, oracle=self.method().oracle
        )

    def new_folder(self) -> Path:
        """An empty one of its own."""
        return Path(tempfile.mkdtemp(prefix=f"{self.entry.name}-", dir=self.bench.folder))

    @property
    def _precision(self) -> str:
        card: ModelCard = self.bench.loaded("fp32").card
        return precision_of(self.config, "cpu", card)
