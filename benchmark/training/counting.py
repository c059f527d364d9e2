"""What a training put through the model: tokens, and operations reckoned from shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers.utils.hub import TRANSFORMERS_DYNAMIC_MODULE_NAME

from benchmark.api import TrainingConfig
from benchmark.core.samples import ImageFile, Sample
from benchmark.cost.flops import forward_flops, image_flops, recomputed_flops, training_flops
from benchmark.cost.pictures import Pictures
from benchmark.cost.shapes import shape_if_known
from benchmark.training.processes import ALONE, Processes
from benchmark.vlm.encoding import View
from benchmark.vlm.model import VisionLanguageModel


@dataclass(kw_only=True)
class Counted:
    """Sums over all steps, phases and processes. `flops` also covers reference passes and images,
    and what a resumed training repeats of both, but not what several processes each make of these
    for themselves; None where they are not known."""

    n_tokens: int = 0
    n_answer_tokens: int = 0
    n_image_tokens: int = 0
    flops: float | None = 0.0

    def add(self, other: Counted) -> None:
        """Add what was counted elsewhere; what is not known there is not known in sum."""
        self.n_tokens += other.n_tokens
        self.n_answer_tokens += other.n_answer_tokens
        self.n_image_tokens += other.n_image_tokens
        if self.flops is None or other.flops is None:
            self.flops = None
        else:
            self.flops += other.flops

    def restore(self, saved: Mapping[str, Any], *, repeated: float | None) -> None:
        """Go on from the sums of a checkpoint, and what was `repeated` to come there."""
        self.n_tokens = saved["n_tokens"]
        self.n_answer_tokens = saved["n_answer_tokens"]
        self.n_image_tokens = saved["n_image_tokens"]
        self.flops = saved["flops"]
        self.add(Counted(flops=repeated))


class Counting:
    """Adds up views as the loop and the reference use them, in `counted`.

    Operations are known where the language model alone is trained, and of a known shape. Of
    processes that all compute the same, since no batch is `divided` among them, the first counts.
    """

    def __init__(
        self,
        counted: Counted,
        model: VisionLanguageModel,
        config: TrainingConfig,
        *,
        processes: Processes = ALONE,
        divided: bool = True,
    ) -> None:
        self.counted = counted
        self._before = counted.flops
        self._processes = processes
        self._divided = divided
        # What this process alone has counted since all were added up.
        self._own = counted if processes.n == 1 else Counted()
        self._once: dict[Hashable, float] = {}
        self._model = model
        self._tuning = config.trains.get("language", "full")
        self._rank = config.lora_rank
        self._features = model.features
        self._n_images = self._features.lending.n_needed
        # What any process has looked at before: it is there, or was counted in another phase.
        before = processes.exchange(self._features.lending.needed)
        self._known: set[Hashable] = {name for one in before for name in one}
        self._pictures = _pictures(model)
        if set(config.trains) != {"language"} or self._pictures is None:
            counted.flops = None

    def view(
        self,
        samples: Sequence[Sample],
        answers: Sequence[str] | None,
        *,
        forward_only: bool = False,
    ) -> View:
        """A view for the loss, counted as going forward and, unless only forward, back."""
        view = self._model.view(samples, answers)
        if forward_only:
            self.asked(view)
        else:
            self._trained_on(view)
        return view

    def _trained_on(self, view: View) -> None:
        n_image_tokens = int(view.image_mask_BT.sum())
        self._own.n_tokens += int(view.attention_mask_BT.sum())
        self._own.n_answer_tokens += int(view.answer_mask_BT.sum())
        self._own.n_image_tokens += n_image_tokens
        if self._pictures is not None and self._pictures.n_tokens(view.samples) != n_image_tokens:
            # This processor is set to something that the family's rule does not know of.
            self._own.flops = None
        n_sequences, n_tokens = view.input_ids_BT.shape
        self._add(
            lambda pictures: training_flops(
                pictures.shape.language,
                n_sequences=n_sequences,
                n_tokens=n_tokens,
                n_logits=int(view.answer_mask_BT.sum()),
                n_seen=pictures.n_seen(view.samples),
                tuning=self._tuning,
                lora_rank=self._rank,
            )
        )
        if self._model.recomputes:
            self._add(
                lambda pictures: recomputed_flops(
                    pictures.shape.language,
                    n_sequences=n_sequences,
                    n_tokens=n_tokens,
                    n_seen=pictures.n_seen(view.samples),
                    tuning=self._tuning,
                    lora_rank=self._rank,
                )
            )

    def asked(self, view: View, *, kept: bool = False) -> None:
        """A view that the reference answers, forward only; what is `kept` is counted once, though
        several processes may each ask it."""
        name = ("reference", *(sample.id for sample in view.samples), view.answers)
        self._add(
            lambda pictures: forward_flops(
                pictures.shape.language,
                n_sequences=view.input_ids_BT.shape[0],
                n_tokens=view.input_ids_BT.shape[1],
                n_logits=int(view.answer_mask_BT.sum()),
                n_seen=pictures.n_seen(view.samples),
            ),
            once=name if kept else None,
        )

    def projected(self) -> None:
        """Add the images that were projected since the last time, each once where it is kept."""
        names = self._features.lending.needed[self._n_images :]
        self._n_images += len(names)
        for name in names:
            self._looked_at(self._features.shown[str(name)], name)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of this phase, which has been prepared anew."""
        now, before = self.counted.flops, self._before
        repeated = None if now is None or before is None else now - before
        self.counted.restore(saved, repeated=repeated)

    def settle(self) -> None:
        """Add up what all processes have counted since the last time."""
        if self._processes.n == 1:
            return
        brought = self._processes.exchange((self._own, self._once))
        for own, once in brought if self._divided else brought[:1]:
            self.counted.add(own)
            new = {name: flops for name, flops in once.items() if name not in self._known}
            self.counted.add(Counted(flops=sum(new.values())))
            self._known.update(new)
        self._own, self._once = Counted(), {}

    def _looked_at(self, image: ImageFile, name: Hashable) -> None:
        self._add(
            lambda pictures: image_flops(pictures.family, pictures.shape, pictures.seen(image)),
            once=name,
        )

    def _add(self, flops_of: Callable[[Pictures], float], *, once: Hashable | None = None) -> None:
        """What is to be counted `once` among several processes has a name."""
        if self.counted.flops is None or self._own.flops is None or self._pictures is None:
            return
        if once is not None and self._processes.n > 1:
            self._once[once] = flops_of(self._pictures)
        else:
            self._own.flops += flops_of(self._pictures)


def _pictures(model: VisionLanguageModel) -> Pictures | None:
    """What is counted with; None where no shape is known of a model, as of all whose code is their
    own, by whatever name they call themselves."""
    if type(model.hf).__module__.startswith(f"{TRANSFORMERS_DYNAMIC_MODULE_NAME}."):
        return None
    shape = shape_if_known(model.hf.config, model.encoder.processor)
    return Pictures(model.hf.config.model_type, shape) if shape is not None else None
