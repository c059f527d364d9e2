"""What tests of the speed comparison share: a small subject, its task, sides in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema

from benchmark.commands.output import adapter_of
from benchmark.core.verdicts import Stored
from benchmark.speed import neighbours, ours
from benchmark.speed.side import Round, one_round
from benchmark.speed.step import StepRequest
from benchmark.speed.subject import Sizes
from benchmark.speed.task import Task
from benchmark.vlm.perception import Perceptions

SMALL = Sizes(vocabulary=300, hidden=64, layers=2)
TINY = StepRequest(
    sizes=SMALL, model=None, terms=("kl", "npo"), tuning="lora", precision="fp32",
    length_spread=0.8, n_samples=4, batch_size=2, steps=2, repeats=1, device="cpu",
    n_threads=None,
)  # fmt: skip


def task_of(checkpoint: Path, **changes: object) -> Task:
    task = Task(
        checkpoint=checkpoint, term="kl", tuning="lora", n_samples=8, batch_size=4, steps=4,
        device="cpu", precision="fp32", length_spread=0.8, n_threads=None,
    )  # fmt: skip
    return replace(task, **changes)  # type: ignore[arg-type]


class InThisProcess:
    """A side without a process of its own."""

    def __init__(self, side: str, task: Task) -> None:
        self.side, self._task = side, task
        self._how = {"ours": ours, "neighbours": neighbours}[side]
        self._perceptions = Perceptions()

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def round(self, *, steps: int) -> Round:
        task = replace(self._task, steps=steps)
        return one_round(self._how, task, perceptions=self._perceptions)


def valid(command: str, found: Stored) -> None:
    """What the command prints as JSON is what `schema` says, and can be read again."""
    adapter = adapter_of(command)
    printed = adapter.dump_json(found)
    jsonschema.validate(json.loads(printed), adapter.json_schema(mode="serialization"))
    assert adapter.validate_json(printed) == found
