"""Where the seconds go: spans that add up, and the first line before anything heavy."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.core.errors import RunFailed
from benchmark.core.garbage import nothing_to_collect
from benchmark.core.store import JsonLines, StorageError
from benchmark.cost.timeline import Span, Timeline

ROOT = Path(__file__).resolve().parents[1]


def test_spans_name_what_they_are_part_of_and_own_the_rest(tmp_path):
    file = tmp_path / "timeline.jsonl"
    timeline = Timeline()
    with contextlib.suppress(KeyError), timeline.kept_in(file), timeline.doing("train"):
        with timeline.doing("load"):
            sum(range(200_000))
        with timeline.doing("save"):
            pass
        raise KeyError
    load, save, train = timeline.spans
    assert [span.path for span in timeline.spans] == [
        ("train", "load"), ("train", "save"), ("train",),
    ]  # fmt: skip
    assert load.own_s == load.wall_s > 0
    assert train.own_s == pytest.approx(train.wall_s - load.wall_s - save.wall_s)
    assert train.began_at <= load.began_at <= save.began_at
    assert JsonLines(file).read(Span) == timeline.spans


@pytest.mark.parametrize("raised", [RunFailed, KeyboardInterrupt])
def test_a_timeline_that_cannot_be_written_hides_no_other_end(tmp_path, raised):
    timeline = Timeline()
    with pytest.raises(raised):
        _train(timeline, tmp_path / "timeline.jsonl", ends=raised("by itself"))
    assert [span.path for span in timeline.spans] == [("train",)]


def test_a_timeline_that_cannot_be_written_is_said(tmp_path):
    file = tmp_path / "timeline.jsonl"
    with pytest.raises(StorageError, match="timeline.jsonl"):
        _train(Timeline(), file)
    with pytest.raises(StorageError, match="timeline.jsonl"), Timeline().kept_in(file):
        raise AssertionError("nothing is begun whose seconds cannot be kept")


def _train(timeline, file, *, ends=None):
    """Meanwhile a folder takes the file's place."""
    with timeline.kept_in(file), timeline.doing("train"):
        file.unlink()
        file.mkdir()
        if ends:
            raise ends


def test_nothing_is_collected_while_modules_are_imported():
    assert gc.isenabled()
    with contextlib.suppress(KeyError), nothing_to_collect():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_the_first_line_comes_before_torch():
    """Of a real process: what is loaded at the moment when the first line is written."""
    code = """
import io, sys

class FirstLine(io.StringIO):
    def write(self, text):
        heavy = [name for name in ("torch", "transformers", "rich.progress") if name in sys.modules]
        print(repr(text), heavy)
        sys.stdout.flush()
        raise SystemExit

sys.stderr = FirstLine()
from benchmark.cli import main
main(["run", "--method", "npo,original", "--seeds", "2", "--limit", "1"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == (
        "'2 methods on testbed-llava, suite testbed-safety, seeds 0, 1; loading ...' []\n"
    ), done.stderr
