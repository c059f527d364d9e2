"""What models are asked, batch by batch and by the stage that asks, whatever comes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from faults.traps import Operation

if TYPE_CHECKING:
    from benchmark.core.records import Response
    from benchmark.core.samples import Sample

LOCKS = "results/local/stages/generate/*.lock"


@dataclass(frozen=True)
class Batch:
    """Samples that were put to a model together; `stage` is the folder of their answers."""

    stage: str
    sample_ids: frozenset[str]


def tell_what_is_asked(to: int) -> Callable[[Operation], None]:
    """From now on in this process and its workers, as lines of the file `to`. What comes back is to
    hear of operations, since a stage is known by the lock it takes."""
    from benchmark.engines.local import LocalEngine

    stage = ""
    answer = LocalEngine.answer

    def told(operation: Operation) -> None:
        nonlocal stage
        if fnmatchcase(operation.path, LOCKS):
            stage = operation.path.removesuffix(".lock")

    def listening(engine: LocalEngine, samples: Sequence[Sample]) -> list[Response]:
        line = json.dumps([stage, [sample.id for sample in samples]])
        os.write(to, f"{line}\n".encode())
        return answer(engine, samples)

    LocalEngine.answer = listening  # type: ignore[method-assign]
    return told


def read_asked(path: Path) -> list[Batch]:
    """What was asked, in order; nothing where the process did not get so far as to listen."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Batch(stage, frozenset(ids)) for stage, ids in map(json.loads, lines)]
