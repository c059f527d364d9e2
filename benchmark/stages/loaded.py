"""The model in memory: one at a time, base or unlearned, loaded when somebody asks for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.core.errors import NotOffered
from benchmark.core.roles import Start
from benchmark.cost.timeline import Timeline
from benchmark.models import ModelCard
from benchmark.models import load_card as load_model_card
from benchmark.testbed.records import check_gold
from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.loading import digest_checkpoint, load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

LOAD_MODEL = "load model"
"""What the timeline calls it."""


class Loaded:
    """Loads the base, or the base with a delta over it; what was loaded before goes first."""

    def __init__(
        self,
        card: ModelCard,
        *,
        precision: str,
        device: str,
        perceptions: Perceptions,
        timeline: Timeline | None = None,
        own_code: bool = False,
    ) -> None:
        self.card = card
        self.precision = precision
        self.device = device
        self._own_code = own_code
        self.sha256 = digest_checkpoint(folder_of(card))
        self._perceptions = perceptions
        self._timeline = timeline or Timeline()
        self._what: str | None = None
        self._model: VisionLanguageModel | None = None

    def gold_sha256(self, seed: int) -> str | None:
        """Digest of the weights of the gold model of a seed, where they are there."""
        if seed >= len(self.card.golds) > 1:
            # Not every method asks for it.
            return None
        name = self.card.gold_of(seed)
        if name is None:
            return None
        folder = load_model_card(name).folder
        there = folder is not None and (folder / "config.json").is_file()
        return digest_checkpoint(folder) if folder is not None and there else None

    def start_sha256(self, start: Start) -> str:
        """Digest of the weights that a method starts from; `NotOffered` where there are none."""
        return (
            self.sha256 if start == "target" else digest_checkpoint(folder_of(self._start(start)))
        )

    def on_start(self, start: Start, delta: WeightsDelta) -> WeightsDelta:
        """A delta made on what a method started from, told so that it finds that again."""
        if start == "target" or delta.checkpoint is not None:
            return delta
        # As the card names it, which may be a folder's path.
        return replace(
            delta,
            checkpoint=self.card.before_vision,
            checkpoint_sha256=digest_checkpoint(folder_of(self._start(start))),
        )

    def base(self) -> VisionLanguageModel:
        """The untouched model."""
        return self._hold("base", self.card, None)

    def fresh(self, start: Start = "target") -> VisionLanguageModel:
        """The checkpoint that a method starts from, for it to change; never handed out again, and
        what it sees is its own until somebody merges it. `NotOffered` where there is none."""
        model = self._hold(start, self._start(start), None)
        model.features = model.features.over()
        self._what = None
        return model

    def unlearned(self, artifact_id: str, delta: WeightsDelta | None) -> VisionLanguageModel:
        """The base, or the checkpoint that stands in for it, with a delta over it."""
        if delta is None:
            return self.base()
        card = self.card if delta.checkpoint is None else load_model_card(delta.checkpoint)
        return self._hold(artifact_id, card, delta)

    def drop(self) -> None:
        """Make room: the next one that is asked for is loaded anew."""
        self._what, self._model = None, None

    def gold(self, seed: int) -> WeightsDelta:
        """The weights that never learnt what is to be forgotten; `MissingError` if none,
        `UserError` where they are of another recipe than the target, or none is of that seed."""
        name = self.card.gold_of(seed)
        if name is None:
            raise NotOffered(f"model '{self.card.name}' has no gold model")
        gold = folder_of(load_model_card(name))
        check_gold(folder_of(self.card), gold, persons=self.card.persons)
        return WeightsDelta(
            base_sha256=self.sha256,
            precision=self.precision,
            checkpoint=name,
            checkpoint_sha256=self.gold_sha256(seed),
        )

    def _start(self, start: Start) -> ModelCard:
        if start == "target":
            return self.card
        if self.card.before_vision is None:
            raise NotOffered(
                f"model '{self.card.name}' names no checkpoint before vision training "
                "(`before_vision` in its card), which this method starts from"
            )
        return load_model_card(self.card.before_vision)

    def _hold(self, what: str, card: ModelCard, delta: WeightsDelta | None) -> VisionLanguageModel:
        if self._what != what or self._model is None:
            self._model = None
            with self._timeline.doing(LOAD_MODEL):
                self._what, self._model = what, self._load(card, delta)
        return self._model

    def _load(self, card: ModelCard, delta: WeightsDelta | None) -> VisionLanguageModel:
        model = load_model(
            folder_of(card),
            name=card.name,
            precision=self.precision,
            device=self.device,
            perceptions=self._perceptions,
            trust_remote_code=self._own_code,
        )
        if delta is not None and delta.has_tensors:
            model.apply(delta)
        return model


def folder_of(card: ModelCard) -> Path:
    """A card's checkpoint folder, downloaded where the card names a repository that is not here.
    Raises as `ModelCard.checkpoint` does."""
    return card.checkpoint()
