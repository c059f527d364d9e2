"""Batch after batch is asked and stored; where memory runs out, what is left goes on in halves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.core.paths import ANSWERS
from benchmark.core.records import Response, Stored
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines
from benchmark.engines.engine import Engine
from benchmark.engines.plan import halved
from benchmark.vlm.memory import give_back_memory, is_out_of_memory

HALVINGS = "halvings.jsonl"
Batches = list[list[Sample]]


class Halving(Stored):
    """Memory ran out when so many batches of the plan were done: all others were cut in two."""

    after: int


class Answers:
    """A stage's answers, on disk as soon as their batch is done."""

    def __init__(self, folder: Path) -> None:
        self._log = JsonLines(folder / ANSWERS)
        self._halvings = JsonLines(folder / HALVINGS)
        self.there = {response.sample_id: response for response in self._log.read(Response)}
        """By sample id, whatever was answered so far."""

    def ask(
        self,
        engine: Engine,
        samples: Sequence[Sample],
        *,
        batch_size: int,
        stored: Callable[[], None],
        note: Callable[[str], None],
    ) -> Batches:
        """Ask what is not answered yet, `stored` being told of every batch, and return the batches
        of all samples. They are the engine's plan, and where memory ran out at this or an earlier
        attempt, what was left of it then in halves. A single sample that is too large raises."""
        plan = engine.plan(samples, batch_size=batch_size)
        for halving in self._halvings.read(Halving):
            plan = halved(plan, after=halving.after)
        while left := [batch for batch in plan if self._is_open(batch)]:
            engine.prime([sample for batch in left for sample in batch])
            if self._ask(engine, left, stored=stored):
                break
            after = next(n for n, batch in enumerate(plan) if self._is_open(batch))
            note(f"memory ran out with {len(plan[after])} requests at once: going on with half")
            self._halvings.append([Halving(after=after)])
            plan = halved(plan, after=after)
            give_back_memory()
        return plan

    def _ask(self, engine: Engine, batches: Batches, *, stored: Callable[[], None]) -> bool:
        """Was there memory enough for all of them?"""
        try:
            for responses in engine.answers(batches):
                # A torn batch is computed whole, since its answers depend on one another's
                # padding, but what was kept of it is not written twice.
                new = [one for one in responses if one.sample_id not in self.there]
                self._log.append(new)
                self.there |= {one.sample_id: one for one in new}
                stored()
        except Exception as error:
            first = next((batch for batch in batches if self._is_open(batch)), [])
            if not is_out_of_memory(error) or len(first) < 2:
                raise
            return False
        return True

    def _is_open(self, batch: Sequence[Sample]) -> bool:
        return any(sample.id not in self.there for sample in batch)
