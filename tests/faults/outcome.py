"""What a folder of results came to, so that a disturbed run can be held against an undisturbed one.

Times, costs and where a training was resumed are left out: of these alone two runs may differ.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.traps import Operation
from PIL import Image
from safetensors import safe_open

from benchmark.core.records import Response, RunRecord
from benchmark.core.store import JsonLines

OF_THE_MOMENT = {"started_at", "ended_at", "cost"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything by its path below the folder."""

    records: dict[str, Any]
    verdicts: dict[str, bytes]
    answers: dict[str, dict[str, Response]]
    artifacts: dict[str, dict[str, str]]
    boards: dict[str, Any]

    @property
    def n_answers(self) -> int:
        """Over all logs of answers."""
        return sum(map(len, self.answers.values()))


@dataclass(frozen=True, kw_only=True)
class Undisturbed:
    """A folder in which the small run ended and was published without any fault, and what either
    command did to its files."""

    folder: Path
    outcome: Outcome
    while_running: Sequence[Operation]
    while_publishing: Sequence[Operation]


def outcome_of(folder: Path) -> Outcome:
    """Read it all; a file that is not whole raises."""

    def each(pattern: str, read: Callable[[Path], Any]) -> dict[str, Any]:
        found = sorted(folder.glob(pattern))
        return {path.relative_to(folder).as_posix(): read(path) for path in found}

    return Outcome(
        records=each("results/local/records/**/*.json", _record)
        | each("results/published/**/*.json", _record),
        verdicts=each("results/**/*.verdicts.csv.gz", Path.read_bytes),
        answers=each("results/local/stages/generate/*/answers.jsonl", _answers),
        artifacts=each("results/local/stages/train/*/manifest.json", _files),
        boards=each("**/leaderboard/**/*.csv", _csv) | each("**/leaderboard/**/*.json", _board),
    )


def asked_twice(folder: Path) -> int:
    """Answers beyond the first to the same question, in any log."""
    logs = [JsonLines(path).read(Response) for path in folder.rglob("answers.jsonl")]
    counts = [Counter(response.sample_id for response in log) for log in logs]
    return sum(n - 1 for count in counts for n in count.values())


def check_whole(folder: Path) -> int:
    """Every file under its final name can be read to its end; returns how many there are.

    A log may end in a torn line, which its reader drops.
    """
    paths = [p for p in folder.rglob("*") if p.is_file() and not _is_temporary(p)]
    for path in paths:
        _check_file(path)
    return len(paths)


def _check_file(path: Path) -> None:
    if _is_of_an_artifact(path) and not (path.parent / "manifest.json").exists():
        return
    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".jsonl":
        for line in path.read_bytes().split(b"\n")[:-1]:
            json.loads(line)
    elif path.name.endswith(".csv.gz"):
        gzip.decompress(path.read_bytes())
    elif path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
    elif path.suffix == ".safetensors":
        with safe_open(path, "pt") as tensors:
            assert list(tensors.keys())
    elif path.suffix == ".pt":
        import torch

        torch.load(path, weights_only=True)


def _is_of_an_artifact(path: Path) -> bool:
    """Libraries write these under their own names; they count once the stage is done."""
    return path.suffix == ".safetensors" or path.name == "adapter_config.json"


def _is_temporary(path: Path) -> bool:
    return path.suffix in (".tmp", ".lock")


def _record(path: Path) -> dict[str, Any]:
    record = RunRecord.model_validate_json(path.read_bytes()).model_dump(exclude=OF_THE_MOMENT)
    if record["training"]:
        del record["training"]["resumed_at_steps"]
    return record


def _answers(path: Path) -> dict[str, Response]:
    return {response.sample_id: response for response in JsonLines(path).read(Response)}


def _files(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text())["files"]
    return found


def _csv(path: Path) -> list[dict[str, str]]:
    lines = csv.DictReader(io.StringIO(path.read_text()))
    return [line for line in lines if line["metric"] != "training_s"]


def _board(path: Path) -> Any:
    board = json.loads(path.read_text())
    rows = [{k: v for k, v in row.items() if k != "cost"} for row in board["rows"]]
    return board | {"rows": rows}
