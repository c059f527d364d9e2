"""A request becomes a resolved run: every name looked up, every setting known, nothing loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import JsonValue

from benchmark.api import Method, TrainingConfig
from benchmark.core import registry
from benchmark.core.config import build, merge, to_json
from benchmark.core.entries import Entry
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import Endpoint, MissingData, RunSpec, Selection
from benchmark.core.rows import DEFAULTS, marked, row_name, split_row
from benchmark.core.store import REPOSITORY, Results, digest, digest_folder, results_root
from benchmark.data.images import ImageStore
from benchmark.data.missing import check_there, without
from benchmark.engines.engine import LOCAL, OPENAI
from benchmark.models import ModelCard
from benchmark.models import load_card as load_model_card
from benchmark.presets import Preset, load_preset
from benchmark.stages.lacking import asked_of, lacking
from benchmark.stages.precision import precisions
from benchmark.stages.settings import ChosenSettings, settings_for, settings_words
from benchmark.stages.trusted import trusted_code
from benchmark.suites import Evaluation, Suite, check_fits, load_suite
from benchmark.vlm.loading import digest_checkpoint

AUTO = "auto"
"""The engine that a run is to choose by itself."""
# What a trained artifact and an answer depend on besides plugins, data and weights.
TRAINING_CODE = ("benchmark/training", "benchmark/vlm")
ANSWERING_CODE = ("benchmark/engines", "benchmark/vlm")


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a user asked for. `overrides` go over the preset, which goes over the settings chosen
    for the method, which go over its defaults."""

    method: str
    model: str = "testbed-llava"
    suite: str = "testbed-safety"
    seed: int = 0
    limit: int | None = None
    overrides: Mapping[str, JsonValue] = field(default_factory=dict)
    preset: str | None = None
    gradient_checkpointing: bool | None = None
    """None: as the preset says."""
    trust_remote_code: bool = False
    allow_missing: bool = False
    """Run without the suite's sets that are not here."""
    force: bool = False
    device: str = "auto"
    endpoint: Endpoint | None = None
    engine: str = LOCAL
    upto: Literal["train", "generate", "judge", "score"] = "score"
    part: Literal["evaluation", "selection"] = "evaluation"
    results: Path = field(default_factory=results_root)
    tuned: bool = True
    checkpoint_every_s: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """A resolved run: all that its stages need, apart from the model itself."""

    request: RunRequest
    spec: RunSpec
    entry: Entry
    method: Method[Any]
    suite: Suite
    model_card: ModelCard
    cautions: tuple[str, ...]
    """What is printed above every table of the model."""
    selection: Selection | None
    borrowed: str | None
    """Where its settings come from, if they were not chosen for this very row."""
    results: Results
    images: ImageStore
    missing: tuple[MissingData, ...] = ()
    """Sets of the suite that it goes without."""

    @property
    def run_id(self) -> str:
        """The same request is the same run."""
        return digest(self.spec.model_dump(mode="json"))[:16]

    @property
    def evaluation(self) -> Evaluation:
        """What is asked: the reported evaluation, or the one that settings are chosen on, without
        the sets that are not here."""
        return without(asked_of(self.suite, self.request.part), self.missing)

    @property
    def has_one_outcome(self) -> bool:
        """Whatever the seed."""
        return self.method.has_one_outcome(n_golds=len(self.model_card.golds))

    @property
    def effective_seed(self) -> int:
        """The same for all, where there is one outcome."""
        return 0 if self.has_one_outcome else self.spec.seed


def resolve(request: RunRequest) -> Run:
    """Look everything up. Raises `UserError` for what a user can mend, before anything is loaded.

    A plugin that raises while it is imported or constructed is a `RunFailed`.
    """
    check_fits(load_suite(request.suite), load_model_card(request.model))
    run = settle(replace(request, device=device_of(request.device)))
    if not request.allow_missing:
        check_there(run.suite, run.missing)
    return run


def settle(request: RunRequest) -> Run:
    """The same for a request whose suite need not fit its model, and whose device need not be here:
    what would be run. Raises as `resolve` does."""
    suite = load_suite(request.suite)
    model_card = load_model_card(request.model)
    plugin, in_name = split_row(request.method)
    overrides = merge(in_name, request.overrides)
    entry = registry.entry("method", plugin)
    method_type = _method_type(plugin, entry)
    preset = load_preset(request.preset) if request.preset is not None else None
    by_preset = _set_by(preset, entry.name, method_type)
    row = row_name(entry.name, overrides)
    names = (row, entry.name, method_type.settings_of)
    chosen = settings_for(names, suite=suite, model=model_card)
    untuned = chosen is not None and not request.tuned and request.part == "evaluation"
    # Not the row of the chosen settings.
    row = marked(row, DEFAULTS if untuned else None, _mark(preset, by_preset))
    below = merge(chosen.settings if chosen and request.tuned else {}, by_preset)
    config = build(method_type.Config, merge(below, overrides), where=f"method '{entry.name}'")
    if request.endpoint is not None and isinstance(config, TrainingConfig):
        raise UserError(
            f"method '{row}' trains weights, and an endpoint keeps its own; `serve --method {row}` "
            "offers the trained model, and `run --method original` asks it there"
        )
    spec = RunSpec(
        method=row,
        config=to_json(config),
        model=model_card.name if request.endpoint is None else request.endpoint.name,
        suite=suite.name,
        seed=request.seed,
        limit=request.limit,
        engine=request.engine if request.endpoint is None else OPENAI,
        device=request.device,
        **precisions(config, request.device, model_card, preset=preset),
        max_new_tokens=suite.decoding.max_new_tokens,
        batch_size=suite.decoding.batch_size,
        preset=preset.name if preset is not None else None,
        gradient_checkpointing=_recomputes(request, preset, config),
        remote_code=trusted_code(model_card, method_type, trusts=request.trust_remote_code),
        endpoint=request.endpoint,
    )
    results = Results(request.results)
    selection = _selection(chosen, request, row=row, entry=entry, model=model_card)
    method = _construct(method_type, config, entry)
    return Run(
        request=request,
        spec=spec,
        entry=entry,
        method=method,
        suite=suite,
        model_card=model_card,
        cautions=_cautions(model_card, request.endpoint),
        selection=selection,
        borrowed=_borrowed(chosen, selection, request, row=row, preset=by_preset, typed=overrides),
        results=results,
        images=ImageStore(results.images),
        missing=tuple(lacking(suite, method, part=request.part, upto=request.upto)),
    )


def _method_type(plugin: str, entry: Entry) -> type[Method[Any]]:
    found = registry.load("method", plugin)
    if isinstance(found, type) and issubclass(found, Method):
        return found
    raise RunFailed(f"method '{entry.name}' ({entry.path}): METHOD is not a benchmark.api.Method")


def _set_by(
    preset: Preset | None, method: str, method_type: type[Method[Any]]
) -> dict[str, JsonValue]:
    """What a preset sets of a method; `UserError` for a method that it is not for."""
    if preset is None:
        return {}
    trains: Mapping[str, str] | None = None
    if issubclass(method_type.Config, TrainingConfig):
        trains = {str(role): how for role, how in method_type.Config().trains.items()}
    return preset.settings_for(method, trains=trains)


def _recomputes(request: RunRequest, preset: Preset | None, config: object) -> bool:
    """Are the model's layers computed anew on the way back, where any of it is trained?"""
    asked = request.gradient_checkpointing
    if asked is None:
        asked = preset is not None and preset.gradient_checkpointing
    return asked and isinstance(config, TrainingConfig) and bool(config.trains)


def _mark(preset: Preset | None, settings: Mapping[str, JsonValue]) -> str | None:
    """The preset's name where it changes anything of a row."""
    changes = preset is not None and (settings or preset.precision is not None)
    return preset.name if preset is not None and changes else None


@cache
def code_digest(folders: tuple[str, ...]) -> str:
    """Digest of our own source that a stage's outcome depends on; taken once, since what is
    imported stays what it was when somebody edits the file."""
    return digest([digest_folder(REPOSITORY / folder, pattern="*.py") for folder in folders])


def _selection(
    chosen: ChosenSettings | None, request: RunRequest, *, row: str, entry: Entry, model: ModelCard
) -> Selection | None:
    """How these very settings were chosen: not another row's, other weights' or an older loss's."""
    if chosen is None or not request.tuned or request.endpoint is not None:
        return None
    made_for = (chosen.row, chosen.method_sha256, chosen.model_sha256)
    if made_for != (row, entry.source_sha256, digest_checkpoint(model.checkpoint())):
        return None
    return chosen.selection


def _cautions(card: ModelCard, endpoint: Endpoint | None) -> tuple[str, ...]:
    if endpoint is None:
        return card.cautions
    return (
        f"Answered by '{endpoint.model}' at {endpoint.url}: its weights, its precision and what "
        f"its answers cost are not known here. Coherence is measured by {card.name}.",
    )


def _borrowed(
    chosen: ChosenSettings | None,
    selection: Selection | None,
    request: RunRequest,
    *,
    row: str,
    preset: Mapping[str, JsonValue],
    typed: Mapping[str, JsonValue],
) -> str | None:
    """In words, where settings come from that were not chosen for this very row as it is now."""
    if chosen is None or selection is not None or not request.tuned:
        return None
    if request.endpoint is not None or chosen.row != row:
        return settings_words(chosen, preset=preset, typed=typed, here=request.endpoint is None)
    return (
        f"settings were chosen for '{row}' before its file or the model's weights changed; "
        f"`make search METHOD={row}` chooses anew"
    )


def device_of(asked: str) -> str:
    """`auto` is the GPU where there is one. Raises `UserError` for a device that is not there."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if asked in there or (asked == "cuda" and len(there) > 1):
        return asked
    raise UserError(f"device '{asked}' is not there; there is auto, {', '.join(there)}")


def _construct(method_type: type[Method[Any]], config: Any, entry: Entry) -> Method[Any]:
    try:
        return method_type(config)
    except (Exception, SystemExit) as error:
        raise RunFailed(
            f"method '{entry.name}' ({entry.path}) cannot be constructed: "
            f"{type(error).__name__}: {error}"
        ) from error
