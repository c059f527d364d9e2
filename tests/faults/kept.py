"""What of a run's work is on disk, and whether the next attempt went on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from faults.product import Ended

from benchmark.core.records import Response
from benchmark.core.store import JsonLines

STAGES = "results/local/stages"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """By a stage's folder: its answers in order, its training steps in a checkpoint, and its
    manifest once it is done."""

    answers: Mapping[str, Sequence[Response]]
    steps: Mapping[str, int]
    done: Mapping[str, Any]


def kept_in(folder: Path) -> Kept:
    """Read it all; of logs, whole lines."""
    import torch

    def name(path: Path) -> str:
        return path.parent.relative_to(folder).as_posix()

    stages = folder / STAGES
    return Kept(
        answers={
            name(path): JsonLines(path).read(Response)
            for path in stages.glob("generate/*/answers.jsonl")
        },
        steps={
            name(path): torch.load(path, weights_only=True)["step"]
            for path in stages.glob("train/*/train.checkpoint.pt")
        },
        done={
            name(path): json.loads(path.read_text()) for path in stages.glob("*/*/manifest.json")
        },
    )


def n_lost(before: Kept, after: Kept) -> int:
    """Answers that were on disk and are not in their place any more."""
    lost = 0
    for stage, answers in before.answers.items():
        pairs = zip(answers, after.answers.get(stage, ()), strict=False)
        lost += len(answers) - sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return lost


def n_asked_again(before: Kept, ended: Ended) -> int:
    """Samples that a model was asked though all of their batch was on disk. A batch that a kill
    tore is asked whole, since its answers depend on one another's padding."""
    there = {
        stage: {answer.sample_id for answer in answers} for stage, answers in before.answers.items()
    }
    again = [batch for batch in ended.asked if batch.sample_ids <= there.get(batch.stage, set())]
    return sum(len(batch.sample_ids) for batch in again)


def check_training(before: Kept, after: Kept) -> int:
    """A training goes on at the last checkpoint, and says so when it is done. Returns how many
    were done in this attempt that an earlier one had begun."""
    for stage, step in before.steps.items():
        assert stage in after.done or after.steps[stage] >= step, (stage, step, after.steps)
    done = {stage: made for stage, made in after.done.items() if stage not in before.done}
    logs = {stage: made["training"] for stage, made in done.items() if made.get("training")}
    for stage, log in logs.items():
        expected = [before.steps[stage]] if stage in before.steps else []
        assert log["resumed_at_steps"] == expected, (stage, log["resumed_at_steps"], expected)
    return sum(stage in before.steps for stage in logs)


def check_done_stays(before: Kept, ended: Ended) -> None:
    """In the folder of a stage that is done, nothing is done again. Only a checkpoint goes that a
    kill between the last two steps left there."""
    for operation in ended.operations:
        stage, _, file = operation.path.rpartition("/")
        if stage in before.done:
            assert (operation.kind, file) == ("remove", "train.checkpoint.pt"), operation


def resumed_at_steps(folder: Path, *, row: str) -> list[list[int]]:
    """What the records of a row say of where its training went on, local and published."""
    paths = sorted(folder.glob(f"results/**/{row}/0.json"))
    return [json.loads(path.read_text())["training"]["resumed_at_steps"] for path in paths]
