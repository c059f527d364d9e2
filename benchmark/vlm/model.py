"""One vision-language model behind its roles: what methods train, trace and ask.

Shapes: B samples, T tokens, A answer tokens of all samples, V vocabulary, D hidden,
N image tokens per image, I images of a view.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from benchmark.core.errors import NotOffered, RunFailed
from benchmark.core.roles import SEEING, Role, Tuning
from benchmark.core.samples import ImageFile, Sample
from benchmark.cost.lending import Lending
from benchmark.vlm.adapters import attach_lora, check_tunings
from benchmark.vlm.artifacts import AdapterWeights, WeightsDelta
from benchmark.vlm.checkpointing import keep_inputs_alone
from benchmark.vlm.crossing import sight_of
from benchmark.vlm.encoding import Encoder, View
from benchmark.vlm.perception import ImageFeatures
from benchmark.vlm.roles import Roles, resolve_roles
from benchmark.vlm.trace import Trace, traced


class VisionLanguageModel:
    """A transformers checkpoint with its processor, seen through roles.

    Text is answered by the language model alone: without an image the vision tower does not run.
    """

    def __init__(
        self,
        hf: Any,
        encoder: Encoder,
        *,
        features: ImageFeatures,
        name: str,
        sha256: str,
        precision: str,
    ) -> None:
        self.hf = hf
        self.name = name
        self.sha256 = sha256
        self.precision = precision
        self.roles: Roles = resolve_roles(hf)
        self.width: int = self.roles.language.get_input_embeddings().embedding_dim
        self.encoder = encoder
        self._sight = sight_of(
            hf, encoder, (self.roles.vision, self.roles.projector), width=self.width
        )
        self.features = features
        self.trained: dict[Role, Tuning] = {}
        self.recomputes = False  # while it trains (`benchmark/vlm/checkpointing.py`)
        self._peft: PeftModel | None = None
        self._head_before: Tensor | None = None

    @property
    def lendings(self) -> tuple[Lending, ...]:
        """What a stage that asks this model is charged for."""
        return self.encoder.lending, self.features.lending

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.hf.parameters()).device

    @property
    def tokenizer(self) -> Any:
        """The model's own fast tokenizer."""
        return self.encoder.tokenizer

    def view(self, samples: Sequence[Sample], answers: Sequence[str] | None = None) -> View:
        """Right-padded tokens and masks for training and scoring."""
        return self.encoder.view(samples, answers, device=self.device)

    # -- forward ------------------------------------------------------------------------------

    def image_features(self, samples: Sequence[Sample]) -> Tensor:
        """Projected visual tokens `[I, N, D]`, one image at a time and each once, unless what
        they are made by is being trained. Raises `RunFailed` where one image has more than another:
        a method that looks at them side by side cannot go on."""
        self.check_visual_tokens()
        tokens = [features[:, : self.width] for features in self._features(samples)]
        if len({len(tokens_ND) for tokens_ND in tokens}) > 1:
            fewest, *_, most = sorted({len(tokens_ND) for tokens_ND in tokens})
            raise RunFailed(
                f"model '{self.name}' makes {fewest} visual tokens of one of these images and "
                f"{most} of another, and this method wants as many of each"
            )
        return torch.stack(tokens)

    def check_visual_tokens(self) -> None:
        """Raise `NotOffered` for a model that has none among its words."""
        if not self._sight.among_words:
            raise NotOffered(
                f"model '{self.name}' looks at images by cross-attention: it has no visual tokens "
                "among its words, which this method needs"
            )

    def project_apart(self, images: Iterable[ImageFile]) -> dict[str, Tensor]:
        """Features by digest of the image (`Sight.apart`)."""
        return self._sight.apart(images)

    def inputs(self, view: View) -> dict[str, Any]:
        """What the outer model takes for a view: tokens, masks, and what is seen of its images
        where the family wants it. Text is answered by the language model alone."""
        given: dict[str, Any] = {
            "input_ids": view.input_ids_BT,
            "attention_mask": view.attention_mask_BT.long(),
            **self.encoder.token_types(view),
        }
        if view.has_images:
            features = self._features(view.samples)
            if view.seen_IND is not None:
                pairs = zip(view.seen_IND, features, strict=True)
                features = [torch.cat([mine, its[:, self.width :]], dim=-1) for mine, its in pairs]
            given |= self._sight.placed(view, features)
        return given

    def hidden(self, view: View) -> Tensor:
        """Final hidden states `[B, T, D]`, after the last norm."""
        return self.hf.model(**self.inputs(view), use_cache=False).last_hidden_state

    def answer_hidden(self, view: View) -> Tensor:
        """`[A, D]`: the final hidden states that predict answer tokens."""
        return self.hidden(view)[view.predicting]

    def answer_logits(self, view: View) -> Tensor:
        """`[A, V]` in fp32: logits only where an answer token needs them."""
        return self.answer_logits_of(view, self.hidden(view))

    def answer_logits_of(self, view: View, final_BTD: Tensor) -> Tensor:
        """`[A, V]` in fp32, of final hidden states that are there already (`Trace.final`)."""
        return self.roles.head(final_BTD[view.predicting]).float()

    def trace(
        self,
        view: View,
        *,
        hidden: Sequence[int] = (),
        attention: Sequence[int] = (),
        to_the_end: bool = False,
    ) -> Trace:
        """Hidden states and attention of the named layers in one forward pass of the view, which
        ends with the last of them unless it is to go on to the final states."""
        return traced(
            self.roles.language,
            lambda: self.hidden(view),
            hidden=hidden,
            attention=attention,
            to_the_end=to_the_end,
        )

    @property
    def n_layers(self) -> int:
        """Decoder layers of the language model: hidden states run from 0 to here."""
        return len(self.roles.language.layers)

    @property
    def n_hooks(self) -> int:
        """Hooks on any of its modules: whoever adds one takes it away again. Those by which
        transformers records what its own modules give out stay from the first image on."""
        kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        return sum(
            not str(getattr(hook, "__module__", "")).startswith("transformers.")
            for module in self.hf.modules()
            for kind in kinds
            for hook in getattr(module, kind).values()
        )

    # -- training -----------------------------------------------------------------------------

    def prepare(
        self, trains: Mapping[Role, Tuning], *, rank: int, alpha: float, dropout: float
    ) -> None:
        """Make exactly the named roles trainable. `UserError` for a tuning that does not fit."""
        check_tunings(trains, precision=self.precision)
        self.hf.requires_grad_(False)
        self.trained |= dict(trains)
        adapted = [role for role, tuning in trains.items() if tuning != "full"]
        if adapted and self._peft is None:
            targets = [n for role in adapted for n in self.roles.linear_names(self.hf, role)]
            self._peft = attach_lora(self.hf, targets, rank=rank, alpha=alpha, dropout=dropout)
        elif adapted:
            # A later phase goes on with the adapter that is there.
            for name, parameter in self.hf.named_parameters():
                parameter.requires_grad_(parameter.requires_grad or "lora_" in name)
        # After adapters are there: peft freezes all the rest.
        for role, tuning in trains.items():
            if tuning == "full":
                if role == "language" and self._head_before is None:
                    self._head_before = self.roles.head.weight.detach().clone()
                for _, parameter in self.roles.parameters(self.hf, role):
                    parameter.requires_grad_(True)
        if self.recomputes:
            # After adapters are there: peft would ask for gradients of words that nobody needs.
            keep_inputs_alone(self.roles, trains)

    @property
    def head_before_training(self) -> nn.Module:
        """The head that reference states go through: a copy only where the head is trained."""
        if self._head_before is None:
            return self.roles.head
        n_words, n_hidden = self._head_before.shape
        head = nn.Linear(n_hidden, n_words, bias=False, device="meta")
        head.weight = nn.Parameter(self._head_before, requires_grad=False)
        return head

    def trainable(self) -> dict[str, nn.Parameter]:
        """Parameters that the optimiser moves, by name."""
        return {n: p for n, p in self.hf.named_parameters() if p.requires_grad}

    @property
    def can_switch_off(self) -> bool:
        """Is the base model one switch away (an adapter and nothing else was trained)?"""
        return "full" not in self.trained.values()

    @property
    def has_adapter(self) -> bool:
        """Does an adapter lie beside the weights?"""
        return self._peft is not None

    def adapter_off(self) -> AbstractContextManager[None]:
        """The base model, from the same weights: never a second copy."""
        return self._adapter_off()

    @contextmanager
    def _adapter_off(self) -> Iterator[None]:
        if self._peft is None:
            yield
            return
        with self._peft.disable_adapter():
            yield

    # -- artifacts ----------------------------------------------------------------------------

    def weights_delta(self) -> WeightsDelta:
        """What training changed, ready to be saved."""
        full = {
            name: parameter.detach()
            for role, tuning in self.trained.items()
            if tuning == "full"
            for name, parameter in self.roles.parameters(self.hf, role)
        }
        adapter = AdapterWeights.of(self._peft) if self._peft is not None else None
        return WeightsDelta(
            base_sha256=self.sha256, precision=self.precision, adapter=adapter, full=full
        )

    def apply(self, delta: WeightsDelta) -> None:
        """Put a delta made on this very base over it. Raises `UserError` for another base."""
        delta.check_base(name=self.name, sha256=self.sha256, precision=self.precision)
        parameters = dict(self.hf.named_parameters())
        with torch.no_grad():
            for name, value in delta.full.items():
                parameters[name].copy_(value)
        if delta.adapter is not None:
            self._peft = delta.adapter.attach(self.hf)
        if not self._roles_of(delta).isdisjoint(SEEING):
            self.features = ImageFeatures(Lending(str(self.device)))

    def fold(self) -> None:
        """Put the adapter into the weights that it adapts, for answering alone: one product a layer
        instead of three. There is no way back to the base, and none where weights are rounded."""
        if self._peft is not None and self.precision == "fp32":
            self.hf, self._peft = self._peft.merge_and_unload(), None

    def fingerprints(self) -> dict[Role, int]:
        """A number per role that changes when any of its base parameters does.

        Adapter weights are not base parameters and do not count.
        """
        sums: dict[Role, int] = {"vision": 0, "projector": 0, "language": 0}
        for name, parameter in self.hf.named_parameters():
            if "lora_" in name:
                continue
            # An adapter moves a layer one level down; it is the same layer.
            place = zlib.crc32(name.replace(".base_layer", "").encode()) | 1
            value = int(torch.hash_tensor(parameter.detach()).item())
            role = self.roles.of(name)
            sums[role] = (sums[role] + place * value) & (2**64 - 1)
        return sums

    def _features(self, samples: Sequence[Sample]) -> list[Tensor]:
        """Of every image of the samples, in order, as `Sight` makes them."""
        images = [image for sample in samples for image in sample.images]
        if not self.trained.keys().isdisjoint(SEEING):
            return self._sight.look(images)
        return self._sight.remembered(images, self.features, device=self.device)

    def _roles_of(self, delta: WeightsDelta) -> set[Role]:
        adapted = delta.adapter.layers if delta.adapter is not None else ()
        return {self.roles.of(name) for name in (*delta.full, *adapted)}
