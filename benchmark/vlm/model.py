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

from benchmark.core.errors import UserError
from benchmark.core.roles import SEEING, Role, Tuning
from benchmark.core.samples import ImageFile, Sample
from benchmark.cost.lending import Lending
from benchmark.vlm.adapters import attach_lora
from benchmark.vlm.artifacts import AdapterWeights, WeightsDelta
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
        self.encoder = encoder
        self.features = features
        self.trained: dict[Role, Tuning] = {}
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
        they are made by is being trained."""
        images = [image for sample in samples for image in sample.images]
        if not self.trained.keys().isdisjoint(SEEING):
            return self._project(images)
        by_name = {image.sha256: image for image in images}
        lent = {name: self.features.lend(name) for name in by_name}
        found = {name: features for name, features in lent.items() if features is not None}
        missing = by_name.keys() - found.keys()
        if missing:
            with self.features.lending.making(missing):
                made = self.project_apart(by_name[name] for name in missing)
            self.features.keep(made)
            found |= made
        device = self.device
        return torch.stack([found[image.sha256].to(device) for image in images])

    def project_apart(self, images: Iterable[ImageFile]) -> dict[str, Tensor]:
        """`[N, D]` by digest of the image, each in a batch of its own: a feature's last digits
        would depend on its neighbours."""
        with self._only_looking():
            return {image.sha256: self._project([image])[0] for image in images}

    def embed(self, view: View) -> Tensor:
        """Input embeddings `[B, T, D]` with visual tokens in their places."""
        embeddings_BTD = self.roles.language.get_input_embeddings()(view.input_ids_BT)
        if not view.has_images:
            return embeddings_BTD
        seen_IND = self.image_features(view.samples) if view.seen_IND is None else view.seen_IND
        return embeddings_BTD.masked_scatter(
            view.image_mask_BT[..., None], seen_IND.to(embeddings_BTD.dtype)
        )

    def hidden(self, view: View) -> Tensor:
        """Final hidden states `[B, T, D]`, after the last norm."""
        return self.roles.language(
            inputs_embeds=self.embed(view), attention_mask=view.attention_mask_BT, use_cache=False
        ).last_hidden_state

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
        for role, tuning in trains.items():
            if (tuning == "qlora") != (self.precision == "nf4"):
                raise UserError(
                    f"trains.{role} = {tuning} does not fit precision {self.precision}: "
                    "qlora needs nf4 and nothing else does"
                )
        self.hf.requires_grad_(False)
        self.trained |= dict(trains)
        adapted = [role for role, tuning in trains.items() if tuning in ("lora", "qlora")]
        for role, tuning in trains.items():
            if tuning == "full":
                if role == "language" and self._head_before is None:
                    self._head_before = self.roles.head.weight.detach().clone()
                for _, parameter in self.roles.parameters(self.hf, role):
                    parameter.requires_grad_(True)
        if adapted and self._peft is None:
            targets = [n for role in adapted for n in self.roles.linear_names(self.hf, role)]
            self._peft = attach_lora(self.hf, targets, rank=rank, alpha=alpha, dropout=dropout)
        elif adapted:
            # A later phase goes on with the adapter that is there.
            for name, parameter in self.hf.named_parameters():
                parameter.requires_grad_(parameter.requires_grad or "lora_" in name)

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

    # -- vision -------------------------------------------------------------------------------

    def _project(self, images: Sequence[ImageFile]) -> Tensor:
        """`[I, N, D]`, all in one batch, through vision tower and projector."""
        pixels = self.encoder.pixels_of(images).to(self.device, self.hf.dtype)
        output = self.hf.get_image_features(pixel_values=pixels, return_dict=True)
        features = output.pooler_output
        return torch.stack(list(features)) if not isinstance(features, Tensor) else features

    @contextmanager
    def _only_looking(self) -> Iterator[None]:
        """No dropout, no gradients, and tensors that may serve a training afterwards."""
        sides = [module for module in (self.roles.vision, self.roles.projector) if module.training]
        for module in sides:
            module.eval()
        try:
            with torch.inference_mode(mode=False), torch.no_grad():
                yield
        finally:
            for module in sides:
                module.train()

    def _roles_of(self, delta: WeightsDelta) -> set[Role]:
        adapted = delta.adapter.layers if delta.adapter is not None else ()
        return {self.roles.of(name) for name in (*delta.full, *adapted)}
