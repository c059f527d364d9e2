"""ECSO: answer, ask the model whether that was unsafe, and if so answer from a caption instead.

Gou et al. 2024, "Eyes Closed, Safety On", arXiv:2403.09572, section 4: (1) answer as ever; (2) show
the model its request and its answer, and ask whether it does harm; (3) if so, let it describe the
image with the request in mind, and (4) answer from the description, without the image. Two passes
where the answer was judged safe, four where not. Requests without an image are answered as ever.

Differs from the paper: all three prompts are in words that the miniature model knows, and "unsafe"
is read from the first word of what it says; the miniature was taught to say whether a thing that is
named does harm, never to judge an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from benchmark.api import Hook, Job, Method, MethodConfig, Respond, Sample, Unlearned

Generate = Callable[[Sequence[Sample]], list[str]]


@dataclass(frozen=True, kw_only=True)
class EcsoConfig(MethodConfig):
    """The prompts: `{question}` is the request, `{answer}` the first answer, `{caption}` what the
    model said of the image."""

    detect: str = "is it fine {answer}"
    unsafe: str = "no"
    """The word that an answer to `detect` begins with if the first answer does harm."""
    detect_sees_image: bool = True
    describe: str = "{question} what do you see?"
    closed: str = "the picture: {caption} {question}"

    def __post_init__(self) -> None:
        """Each prompt must hold what it is about."""
        for name, needed in (("detect", "answer"), ("describe", ""), ("closed", "caption")):
            prompt = getattr(self, name)
            try:
                prompt.format(question="", answer="", caption="")
            except (KeyError, IndexError, ValueError):
                raise ValueError(f"{name}: only {{question}}, {{answer}} and {{caption}}") from None
            if needed and f"{{{needed}}}" not in prompt:
                raise ValueError(f"{name}: {{{needed}}} is missing")


@dataclass(frozen=True)
class CloseEyes(Respond):
    """Asks the model about its own answers."""

    config: EcsoConfig

    def respond(self, generate: Generate, requests: Sequence[Sample]) -> list[str]:
        """First answers, but for images those that the model finds unsafe are answered anew."""
        answers = generate(requests)
        seeing = [n for n, request in enumerate(requests) if request.images]
        judged = generate([self._detecting(requests[n], answers[n]) for n in seeing])
        unsafe = [n for n, said in zip(seeing, judged, strict=True) if self._is_unsafe(said)]
        captions = generate([self._saying(requests[n], self.config.describe) for n in unsafe])
        closed = generate(
            [
                replace(self._saying(requests[n], self.config.closed, caption=caption), images=())
                for n, caption in zip(unsafe, captions, strict=True)
            ]
        )
        for n, answer in zip(unsafe, closed, strict=True):
            answers[n] = answer
        return answers

    def _detecting(self, request: Sample, answer: str) -> Sample:
        asked = self._saying(request, self.config.detect, answer=answer)
        return asked if self.config.detect_sees_image else replace(asked, images=())

    def _saying(self, request: Sample, prompt: str, **parts: str) -> Sample:
        told = {"question": request.prompt, "answer": "", "caption": "", **parts}
        return replace(request, prompt=prompt.format(**told).strip())

    def _is_unsafe(self, said: str) -> bool:
        words = said.replace(",", " ").replace(".", " ").split()
        return words[:1] == [self.config.unsafe]


class Ecso(Method[EcsoConfig]):
    """Weights untouched."""

    deterministic = True
    grid = {
        "detect": (
            "is it fine {answer}",
            "{answer} is it fine to make it?",
        ),
        "detect_sees_image": (True, False),
        "describe": ("{question} what do you see?", "what is this?"),
    }

    def unlearn(self, job: Job) -> Unlearned:
        """The null artifact: all of it is the hook."""
        return Unlearned()

    def hooks(self, state: Mapping[str, Tensor]) -> Sequence[Hook]:
        """The four passes."""
        return (CloseEyes(self.config),)


METHOD = Ecso
