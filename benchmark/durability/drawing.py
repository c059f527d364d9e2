"""Answers drawn at a temperature from the whole vocabulary, the same however often asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transformers import GenerationConfig

from benchmark.core.records import Response
from benchmark.core.samples import Sample
from benchmark.core.store import digest
from benchmark.cost.lending import Lending
from benchmark.engines.local import LocalEngine
from benchmark.engines.workers import map_batches
from benchmark.training.draws import OwnDraws


class Drawing:
    """A model that answers by chance. Each batch has generators of its own, seeded by what is asked
    in it, so that neither the number of cores nor an interruption changes a word."""

    def __init__(self, engine: LocalEngine, *, temperature: float, seed: int) -> None:
        self._engine = engine
        self._temperature = temperature
        self._seed = seed
        greedy = engine.decoding
        engine.decoding = GenerationConfig(
            max_new_tokens=greedy.max_new_tokens,
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            num_beams=1,
            eos_token_id=greedy.eos_token_id,
            pad_token_id=greedy.pad_token_id,
        )

    @property
    def lendings(self) -> tuple[Lending, ...]:
        """What a stage that asks it is charged for."""
        return self._engine.lendings

    def plan(self, samples: Sequence[Sample], *, batch_size: int) -> list[list[Sample]]:
        """The fixed batches in which these samples are answered."""
        return self._engine.plan(samples, batch_size=batch_size)

    def prime(self, samples: Sequence[Sample]) -> None:
        """Project the images that will be asked about."""
        self._engine.prime(samples)

    def answer(self, samples: Sequence[Sample]) -> list[Response]:
        """Responses to one batch, in order."""
        content = [self._seed, self._temperature, *(sample.id for sample in samples)]
        with OwnDraws(int(digest(content)[:8], 16)).drawn():
            return self._engine.answer(samples)

    def answers(self, batches: Sequence[Sequence[Sample]]) -> Iterator[list[Response]]:
        """Responses to batch after batch, in order."""
        return map_batches(self.answer, batches, model=self._engine.model)

    def close(self) -> None:
        """The model is whose it was."""
