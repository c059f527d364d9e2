"""A damaged record, verdict table or board is named in one line; the other rows stay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_inputs import RECORDS, TABLES
from faults.damage import corrupt, truncate
from faults.tally import Refuse, Take, Tally
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from run_records import SUITE as RECORDED_SUITE
from run_records import record, store
from verdict_rows import model_rows

from benchmark.cli import main
from benchmark.core.records import RunRecord
from benchmark.core.store import Results

# Drawn inputs are looked at in a folder of their own; the fixtures hold nothing that they change.
DRAWN = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
OUT_OF_PLACE = ("of another seed", "of another method")


@pytest.fixture
def damaged(
    capsys: pytest.CaptureFixture[str], results_folder: Path, tally: Tally
) -> Callable[[Path], None]:
    """Make the boards, and see that the damaged file is named while the other row is there."""

    def check(path: Path) -> None:
        capsys.readouterr()
        assert main(["table"]) == 0
        said = capsys.readouterr()
        tally.check("records", said.err, begins="warning: left out: ", names=str(path.parent))
        assert len(said.err.splitlines()) == 1, said.err
        assert _rows_of(said.out) == {"original"}

    return check


@pytest.fixture
def recorded(results_folder: Path) -> Path:
    """The record of a run with its verdicts, beside another's."""
    results, rows = Results(results_folder), model_rows(n=2)
    store(results, record("original", rows, reference=True), rows)
    return store(results, record("npo", rows), rows)


def _rows_of(out: str) -> set[str]:
    """The methods of the board that `table` says it has written."""
    path = Path(out.splitlines()[0]).with_suffix(".json")
    return {found["method"] for found in json.loads(path.read_text())["rows"]}


def test_a_record_and_its_verdicts_without_a_fault(
    taken: Take, capsys: pytest.CaptureFixture[str], recorded: Path
) -> None:
    assert main(["table"]) == 0
    said = capsys.readouterr()
    assert not said.err and _rows_of(said.out) == {"original", "npo"}
    taken(["show", str(recorded)])
    taken(["publish", "--method", "all"])
    taken(["table", "--check"])


@pytest.mark.parametrize("damage", RECORDS)
def test_a_record(
    refused: Refuse, damaged: Callable[[Path], None], recorded: Path, damage: str
) -> None:
    recorded.write_bytes(RECORDS[damage](recorded.read_bytes()))
    damaged(recorded)
    # Asked for by its path, a record may lie anywhere.
    if damage not in OUT_OF_PLACE:
        refused("records", ["show", str(recorded)], names=str(recorded))


@DRAWN
@given(data=st.data())
def test_a_field_of_a_record(
    damaged: Callable[[Path], None], results_folder: Path, data: st.DataObject
) -> None:
    rows = model_rows(n=2)
    results = Results(results_folder)
    store(results, record("original", rows, reference=True), rows)
    path = store(results, record("npo", rows), rows)
    fields = json.loads(path.read_bytes())
    place = fields
    name = data.draw(st.sampled_from(sorted(place)))
    if isinstance(place[name], dict) and place[name] and data.draw(st.booleans()):
        place, name = place[name], data.draw(st.sampled_from(sorted(place[name])))
    place[name] = data.draw(st.sampled_from([[[None]], {"a": {"b": None}}, "\udcff", 1e400]))
    text = json.dumps(fields)
    assume(not _is_a_record(text))
    path.write_text(text)
    damaged(path)


def _is_a_record(text: str) -> bool:
    try:
        RunRecord.model_validate_json(text)
    except ValidationError:
        return False
    return True


def test_a_folder_in_a_record_s_place(damaged: Callable[[Path], None], recorded: Path) -> None:
    recorded.unlink()
    recorded.mkdir()
    damaged(recorded)


@pytest.mark.parametrize("damage", TABLES)
def test_a_verdict_table(damaged: Callable[[Path], None], recorded: Path, damage: str) -> None:
    path = recorded.with_suffix(".verdicts.csv.gz")
    path.write_bytes(TABLES[damage](path.read_bytes()))
    damaged(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_verdict_table_with_other_bytes(
    damaged: Callable[[Path], None], recorded: Path, seed: int
) -> None:
    path = recorded.with_suffix(".verdicts.csv.gz")
    corrupt(path, seed=seed)
    damaged(path)


def test_a_damaged_record_is_not_published(refused: Refuse, recorded: Path) -> None:
    truncate(recorded, at=0.5)
    refused("records", ["publish", "--method", "npo"], names=str(recorded))
    shutil.rmtree(recorded.parents[1] / "original")
    refused("records", ["publish", "--method", "all"], names=str(recorded))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}"])
def test_a_board_that_is_none(
    capsys: pytest.CaptureFixture[str], recorded: Path, results_folder: Path, content: bytes,
    tally: Tally,
) -> None:  # fmt: skip
    assert main(["publish", "--method", "original"]) == 0
    path = Results(results_folder).board(
        suite=RECORDED_SUITE, model="testbed-llava", suffix="json", published=True
    )
    path.write_bytes(content)
    capsys.readouterr()
    assert main(["table", "--check"]) == 1
    said = capsys.readouterr().err
    tally.check("records", said, begins=str(path), names="not what the published records make")


def test_there_were_enough_of_them(tally: Tally) -> None:
    """Of this file as a whole: what the other tests counted."""
    tally.check_all(at_least=50)
