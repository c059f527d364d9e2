"""Boards on disk: made from the records of a folder, and written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import JsonValue, ValidationError

from benchmark.core.plan import Plan
from benchmark.core.records import SuiteFacts
from benchmark.core.rows import BASE
from benchmark.core.store import Results, write_atomic
from benchmark.tables import long_table, markdown
from benchmark.tables.board import Board
from benchmark.tables.build import BoardOf, build_board
from benchmark.tables.long_table import N_DECIMALS
from benchmark.tables.runs import (
    LoadedRun,
    board_folder,
    read_record,
    read_runs,
)


def as_json(board: Board) -> str:
    """The board itself; defaults are left out, figures that are missing are null."""
    content = board.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(rounded(content), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


RENDERINGS: dict[str, Callable[[Board], str]] = {
    "md": markdown.render,
    "csv": long_table.render,
    "json": as_json,
}


def rounded(value: JsonValue) -> JsonValue:
    """Floats to nine decimals: the last digits differ between processors, and a board must not."""
    if isinstance(value, float):
        return round(value, N_DECIMALS)
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def published_board(results: Results, *, suite: str, model: str) -> Board:
    """The board of all published records of a suite and a model."""
    folder = board_folder(results.published_records, suite=suite, model=model)
    runs, warnings = read_runs(folder, source="published")
    return board_from(runs, warnings, suite=suite, model=model)


def generated_board(results: Results, *, suite: str, model: str) -> tuple[Board | None, list[str]]:
    """The published board as `table` generated it, None where there is none; and a line about one
    that cannot be read."""
    path = results.board(suite=suite, model=model, suffix="json", published=True)
    try:
        return Board.model_validate_json(path.read_bytes()), []
    except FileNotFoundError:
        return None, []
    except OSError as error:
        problem = error.strerror
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
    return None, [f"{path} cannot be read ({problem}); make it anew with `make table`"]


def local_board(results: Results, *, suite: str, model: str) -> Board:
    """The board of what was run here, beside published reference rows that were not."""
    folder = board_folder(results.local_records, suite=suite, model=model)
    runs, warnings = read_runs(folder, source="local")
    other = board_folder(results.published_records, suite=suite, model=model)
    here = {run.record.spec.method for run in runs if run.whole}
    borrowed, more_warnings = read_runs(
        other,
        source="published",
        wanted=lambda record: record.method.reference_row and record.spec.method not in here,
    )
    return board_from([*runs, *borrowed], [*warnings, *more_warnings], suite=suite, model=model)


def write_board(board: Board, results: Results, *, published: bool) -> list[Path]:
    """Put a board where its readers look: Markdown, CSV and JSON. Returns the files."""
    paths = []
    for suffix, render in RENDERINGS.items():
        path = results.board(
            suite=board.suite, model=board.model, suffix=suffix, published=published
        )
        write_atomic(path, render(board))
        paths.append(path)
    return paths


def board_from(
    runs: Sequence[LoadedRun], warnings: Sequence[str], *, suite: str, model: str
) -> Board:
    """How to score, and what readers must be told, stands in the records themselves."""
    facts = facts_from(runs, suite)
    notes = dict.fromkeys(note for run in runs for note in run.record.notes)
    of = BoardOf(
        suite=suite,
        suite_title=facts.title,
        model=model,
        notices=[*filter(None, [facts.notice]), *notes],
        plan=facts.plan,
    )
    return build_board(runs, of, warnings=warnings)


def plan_of_board(board: Board, results: Results) -> Plan:
    """How the answers of a published board were scored; its records say so."""
    for row in board.rows:
        for seed in row.seeds:
            path = results.published(
                suite=board.suite, model=board.model, method=row.method, seed=seed
            )
            facts = read_record(path).suite
            if facts is not None:
                return facts.plan
    return Plan(max_new_tokens=0)


def facts_from(runs: Sequence[LoadedRun], suite: str) -> SuiteFacts:
    """Those of the base model's record, else of the first that got far enough to have any."""
    ordered = sorted(runs, key=lambda run: run.record.spec.method != BASE)
    found = [run.record.suite for run in ordered if run.record.suite is not None]
    return found[0] if found else SuiteFacts(title=suite, notice="", plan=Plan(max_new_tokens=0))
