"""How a treated model is held in memory, with the method's hooks before it and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from benchmark.core.errors import RunFailed, first_line, without_folders
from benchmark.core.roles import ADAPTED_OVER
from benchmark.core.samples import Sample
from benchmark.core.store import digest, writing
from benchmark.durability.drawing import Drawing
from benchmark.durability.rounding import cannot_round, cause_of
from benchmark.engines.engine import Engine
from benchmark.engines.local import LocalEngine
from benchmark.models import load_card
from benchmark.progress import Reporter
from benchmark.stages.answer import check_hooks
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.loaded import Loaded, folder_of
from benchmark.stages.resolve import Run, code_digest
from benchmark.stages.treat import Treated
from benchmark.treating import NotPossible, State
from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.loading import load_model
from benchmark.vlm.memory import is_out_of_memory
from benchmark.vlm.merging import write_merged
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

ROUNDED = tuple(ADAPTED_OVER.values())
MERGING_CODE = ("benchmark/vlm",)


class Holding:
    """One artifact, as its method left it or merged into a plain checkpoint, which is written once
    and found again. Where no weights were trained, the checkpoint is the model's own."""

    def __init__(self, run: Run, artifact: Artifact, *, loaded: Loaded, reporter: Reporter) -> None:
        self._run = run
        self._artifact = artifact
        self._loaded = loaded
        self._reporter = reporter
        self.hooks = tuple(run.method.hooks(artifact.state()))

    @property
    def has_adapter(self) -> bool:
        """Is there an adapter to merge?"""
        delta = self._artifact.delta()
        return delta is not None and delta.adapter is not None

    def check_hooks(self) -> None:
        """Raise `NotPossible` for a hook that only another engine serves."""
        try:
            check_hooks(self.hooks)
        except RunFailed as error:
            raise NotPossible(str(error)) from None

    def merged(self, precision: str | None = None) -> VisionLanguageModel:
        """That checkpoint, loaded anew; raises `NotPossible` for a precision in which this machine
        cannot load it or answer, and all else as it comes."""
        folder, own = self._checkpoint(), self._run.spec.precision
        if precision is None or precision == own:
            return self._load(folder, own)
        try:
            model = self._load(folder, precision)
            with torch.inference_mode():
                one = torch.zeros(1, 1, dtype=torch.long, device=model.device)
                model.roles.language(input_ids=one)
        except Exception as error:
            cause = cause_of(error)
            if is_out_of_memory(cause):
                raise cause from None
            if not cannot_round(cause):
                raise
            where = self._run.spec.device
            raise NotPossible(
                f"{precision} weights cannot be served on device '{where}' here: "
                f"{without_folders(first_line(error))}"
            ) from error
        return model

    def engine(self, state: State, treated: Treated, *, samples: Sequence[Sample]) -> Engine:
        """What answers for a state: the method's hooks are served after a treatment as before.
        Raises `NotPossible` where a prompt is longer than the model can take."""
        model = self._model(state, treated)
        check_length(model, samples, max_new_tokens=self._run.spec.max_new_tokens)
        engine = LocalEngine(
            model,
            hooks=self.hooks,
            max_new_tokens=self._run.spec.max_new_tokens,
            oracle=self._run.method.oracle,
        )
        if state.temperature is None:
            return engine
        return Drawing(engine, temperature=state.temperature, seed=self._run.spec.seed)

    def _model(self, state: State, treated: Treated) -> VisionLanguageModel:
        if state.held == "as_left":
            return self._loaded.unlearned(self._artifact.info.id, self._artifact.delta())
        # Two models do not fit where one does.
        self._loaded.drop()
        model = self.merged(state.precision)
        if state.delta is not None:
            model.apply(WeightsDelta.load(treated.folder / state.delta))
            if not self.hooks:
                # One product a layer instead of three; a hook may want what lies below.
                model.fold()
        return model

    def _load(self, folder: Path, precision: str) -> VisionLanguageModel:
        return load_model(
            folder,
            name=self._run.model_card.name,
            precision=precision,
            device=self._run.spec.device,
            # Its own: what it is charged for, it does itself.
            perceptions=Perceptions(),
            trust_remote_code=self._run.request.trust_remote_code,
        )

    def _checkpoint(self) -> Path:
        delta, card = self._artifact.delta(), self._run.model_card
        if delta is not None and delta.checkpoint is not None:
            card = load_card(delta.checkpoint)
        base = folder_of(card)
        if delta is None or not delta.has_tensors:
            return base
        if self._run.spec.precision in ROUNDED:
            raise NotPossible(
                f"'{self._run.spec.method}' is trained over {self._run.spec.precision} weights, "
                "into which an adapter is not merged"
            )
        return self._written(delta, base)

    def _written(self, delta: WeightsDelta, base: Path) -> Path:
        made_of = [self._artifact.info.id, self._run.spec.precision, code_digest(MERGING_CODE)]
        stage = StageFolder(self._run.results.root, "merge", digest([*made_of]))
        note = self._reporter.note
        with stage.lock(lambda who: note(f"waiting: {who} is merging these very weights")):
            if not stage.is_done():
                stage.clear()
                to = stage.path / "checkpoint"
                with writing(to):
                    write_merged(
                        to, delta, base=base, precision=self._run.spec.precision,
                        own_code=self._run.request.trust_remote_code,
                    )  # fmt: skip
                stage.finish({"artifact": self._artifact.info.id})
        return stage.path / "checkpoint"


def check_length(
    model: VisionLanguageModel, samples: Sequence[Sample], *, max_new_tokens: int
) -> None:
    """Raise `NotPossible` unless every prompt and its answer fit into the model's positions."""
    room = getattr(model.hf.config.get_text_config(), "max_position_embeddings", None)
    longest = max(
        (
            len(encoded.prompt_ids) + (encoded.sample.max_new_tokens or max_new_tokens)
            for encoded in model.encoder.prompts(samples, strict=False)
        ),
        default=0,
    )
    if room is not None and longest > room:
        raise NotPossible(
            f"the longest prompt and its answer take {longest} tokens, and model '{model.name}' "
            f"takes {room}"
        )
