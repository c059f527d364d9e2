"""Answer samples with transformers on this machine: greedy, left-padded, by a fixed batch plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import GenerationConfig

from benchmark.api import Hook, Respond, RewriteRequest, RewriteVisualTokens
from benchmark.core.errors import RunFailed
from benchmark.core.records import Response
from benchmark.core.samples import Sample
from benchmark.core.store import digest
from benchmark.engines.plan import plan_batches
from benchmark.engines.priming import prime_images
from benchmark.vlm.encoding import View
from benchmark.vlm.model import VisionLanguageModel

NAME = "local"


class LocalEngine:
    """A loaded model, changed weights and hooks included, that answers."""

    def __init__(
        self,
        model: VisionLanguageModel,
        *,
        hooks: Sequence[Hook] = (),
        max_new_tokens: int,
        oracle: bool = False,
    ) -> None:
        self.model = model
        self.max_new_tokens = max_new_tokens
        self._oracle = oracle
        self._rewriters = [hook for hook in hooks if isinstance(hook, RewriteRequest)]
        self._visual = [hook for hook in hooks if isinstance(hook, RewriteVisualTokens)]
        self._responders = [hook for hook in hooks if isinstance(hook, Respond)]
        if len(self._responders) > 1:
            raise RunFailed("a method may have one hook that responds, this one has more")
        tokenizer = model.tokenizer
        self.decoding = GenerationConfig(
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        """How every answer is decoded."""

    def plan(self, samples: Sequence[Sample], *, batch_size: int) -> list[list[Sample]]:
        """The fixed batches in which these samples are answered."""
        there, gone = _parted(samples)
        # Together, and only then one by one.
        self.model.encoder.prompts(there)
        length_of = self.model.encoder.prompt_length
        return [
            *plan_batches(there, batch_size=batch_size, length_of=length_of),
            *plan_batches(gone, batch_size=batch_size, length_of=lambda _: 0),
        ]

    def prime(self, samples: Sequence[Sample]) -> None:
        """Project the images that will be asked about, unless the model will not be asked."""
        if all(responder.asks_model for responder in self._responders):
            seeing, _ = _parted([sample for sample in samples if sample.images])
            prime_images(self.model, self._rewritten(seeing))

    def answer(self, samples: Sequence[Sample]) -> list[Response]:
        """Responses to one batch, in order; an image that is gone is an unscored response."""
        there, gone = _parted(samples)
        answered = {r.sample_id: r for r in self._answer(there)} if there else {}
        answered |= {sample.id: _without_image(sample) for sample in gone}
        return [answered[sample.id] for sample in samples]

    def response(self, sample_id: str, ids: list[int], *, n_prompt: int) -> Response:
        """What these new tokens say, up to the end of the answer."""
        end = self.decoding.eos_token_id
        ended = end in ids
        if ended:
            ids = ids[: ids.index(end)]
        return Response(
            sample_id=sample_id,
            text=self.model.tokenizer.decode(ids, skip_special_tokens=True).strip(),
            n_prompt_tokens=n_prompt,
            n_answer_tokens=len(ids) + ended,
            truncated=not ended and len(ids) >= self.max_new_tokens,
        )

    @torch.inference_mode()
    def explain(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """What the hooks go by that rewrite visual tokens (`RewriteVisualTokens.explain`), when
        these requests, each with an image, are asked in one batch."""
        asked = self._rewritten(samples)
        view = self.model.encoder.view(asked, padding="left", device=self.model.device)
        tokens_IND, shown = self.model.image_features(view.samples), self._shown(view)
        found: dict[str, torch.Tensor] = {}
        for hook in self._visual:
            found |= hook.explain(self.model, shown, tokens_IND)
            tokens_IND = hook.rewrite_visual_tokens(self.model, shown, tokens_IND)
        return found

    def _answer(self, samples: Sequence[Sample]) -> list[Response]:
        if not self._responders:
            return self._generate(samples)
        passes: list[Response] = []
        requests = [self._request(sample) for sample in samples]
        asked = dict(zip([r.id for r in requests], samples, strict=True))

        def generate(again: Sequence[Sample]) -> list[str]:
            own = [_asking(asked[request.id], request) for request in again]
            made = self._generate(own, strict=False) if own else []
            passes.extend(made)
            return [response.text or "" for response in made]

        texts = self._responders[0].respond(generate, requests)
        if len(texts) != len(samples):
            raise RunFailed(f"respond() gave {len(texts)} answers to {len(samples)} requests")
        return [
            _in_all(sample, text, [made for made in passes if made.sample_id == sample.id])
            for sample, text in zip(samples, texts, strict=True)
        ]

    @torch.inference_mode()
    def _generate(self, samples: Sequence[Sample], *, strict: bool = True) -> list[Response]:
        view = self._view(samples, strict=strict)
        output_BT = self.model.hf.generate(**self._inputs(view), generation_config=self.decoding)
        said_BT = output_BT[:, view.input_ids_BT.shape[1] :]
        n_prompt_B = view.attention_mask_BT.sum(1).tolist()
        return [
            self.response(sample.id, ids, n_prompt=n_prompt)
            for sample, ids, n_prompt in zip(samples, said_BT.tolist(), n_prompt_B, strict=True)
        ]

    @torch.inference_mode()
    def first_logits(self, samples: Sequence[Sample]) -> torch.Tensor:
        """`[B, V]`: what the first token of each answer is taken from, hooks that change the
        request or the visual tokens included; a hook that responds is not asked."""
        view = self._view(samples, strict=True)
        output = self.model.hf(**self._inputs(view))
        return output.logits[:, -1].float()

    def _view(self, samples: Sequence[Sample], *, strict: bool) -> View:
        return self.model.encoder.view(
            self._rewritten(samples),
            padding="left",
            device=self.model.device,
            strict=strict,
        )

    def _rewritten(self, samples: Sequence[Sample]) -> list[Sample]:
        if not self._rewriters:
            return list(samples)
        rewritten = []
        for sample in samples:
            request = self._request(sample)
            for hook in self._rewriters:
                request = hook.rewrite_request(request)
            rewritten.append(_asking(sample, request))
        return rewritten

    def _request(self, sample: Sample) -> Sample:
        """What a hook is shown of a sample: what is asked, and nothing of what it is asked for."""
        if self._oracle:
            return sample
        return Sample(
            id=digest(sample.id)[:16],
            behaviour="",
            card="",
            purpose="training",
            prompt=sample.prompt,
            system=sample.system,
            before_image=sample.before_image,
            images=sample.images,
        )

    def _inputs(self, view: View) -> dict[str, Any]:
        if not view.has_images or not self._visual:
            return self.model.inputs(view)
        tokens_IND, shown = self.model.image_features(view.samples), self._shown(view)
        for hook in self._visual:
            tokens_IND = hook.rewrite_visual_tokens(self.model, shown, tokens_IND)
        return self.model.inputs(view.seen_as(tokens_IND))

    def _shown(self, view: View) -> View:
        return replace(view, samples=tuple(self._request(sample) for sample in view.samples))


def _asking(sample: Sample, request: Sample) -> Sample:
    """The sample, asked as a hook wants it asked."""
    return replace(
        sample,
        prompt=request.prompt,
        system=request.system,
        before_image=request.before_image,
        images=request.images,
    )


def _in_all(sample: Sample, text: str, passes: Sequence[Response]) -> Response:
    """What a hook answered, with the tokens that the model read and wrote for it in all passes."""
    return Response(
        sample_id=sample.id,
        text=text,
        n_prompt_tokens=sum(made.n_prompt_tokens for made in passes),
        n_answer_tokens=sum(made.n_answer_tokens for made in passes),
        truncated=any(made.truncated and made.text == text for made in passes),
    )


def _parted(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Those whose images are all there, and those that lost one."""
    gone = {s.id for s in samples if any(not image.path.exists() for image in s.images)}
    return [s for s in samples if s.id not in gone], [s for s in samples if s.id in gone]


def _without_image(sample: Sample) -> Response:
    return Response(
        sample_id=sample.id, text=None, n_prompt_tokens=0, n_answer_tokens=0, error="image_missing"
    )
