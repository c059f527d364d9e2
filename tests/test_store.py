"""Keys, whole files, logs that a kill can only cut at their end, and stages worked on by one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.core import store
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name
from benchmark.core.records import Verdict
from benchmark.core.store import (
    TAIL_BYTES,
    JsonLines,
    Results,
    StorageError,
    check_writable,
    digest,
    digest_folder,
    write_atomic,
    writing,
)
from benchmark.stages.folder import StageFolder

VERDICTS = [Verdict(sample_id=f"card/test/{number}", label="refused") for number in range(5)]


def test_digest_is_of_content_not_of_order():
    # SHA-256 of the two bytes {}.
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest({"a": 1, "b": [2.0, None]}) == digest({"b": [2.0, None], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("nan")})


def test_digest_of_a_folder_covers_names_and_bytes(tmp_path):
    (tmp_path / "a").write_text("1")
    first = digest_folder(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = digest_folder(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, digest_folder(tmp_path)}) == 3


def test_a_whole_file_or_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "record.json"
    write_atomic(path, "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError) as caught:
        write_atomic(path, "new")
    assert str(caught.value) == (
        f"cannot write {path}: No space left on device; "
        "free some space and run the same command again, it goes on where it stopped"
    )
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_library_s_own_words_for_a_full_disk_are_understood(tmp_path, monkeypatch):
    def fails() -> None:
        with writing(tmp_path / "deep" / "weights"):
            raise RuntimeError("unexpected pos 1028224 vs 1028116")

    with pytest.raises(RuntimeError, match="unexpected pos"):
        fails()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(StorageError, match="weights: No space left on device; free some space"):
        fails()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_really_full_device_is_one_line():
    with (
        pytest.raises(StorageError, match="cannot write /dev/full: No space left on device"),
        writing(Path("/dev/full")),
        open("/dev/full", "wb", buffering=0) as stream,
    ):
        stream.write(b"x")


def test_a_place_that_cannot_be_a_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write .*file"):
        check_writable(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_names_the_remedy(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="choose another results folder with --results"):
        check_writable(tmp_path / "results")


def test_a_log_reads_back_and_goes_on(tmp_path):
    log = JsonLines(tmp_path / "deep" / "log.jsonl")
    assert log.read(Verdict) == []
    log.append(VERDICTS[:2])
    log.append([])
    log.append(VERDICTS[2:])
    assert log.read(Verdict) == VERDICTS


@given(st.integers(min_value=0, max_value=10_000))
def test_a_log_cut_anywhere_keeps_its_whole_lines_and_goes_on(tmp_path_factory, n_bytes):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    log = JsonLines(path)
    log.append(VERDICTS)
    whole = path.read_bytes()
    path.write_bytes(whole[:n_bytes])
    kept = log.read(Verdict)
    assert kept == VERDICTS[: whole[:n_bytes].count(b"\n")]
    log.append(VERDICTS[len(kept) :])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("n_bytes", [1, TAIL_BYTES - 1, TAIL_BYTES, 3 * TAIL_BYTES + 1])
def test_the_last_whole_line_is_found_however_long_a_torn_one_is(tmp_path, n_bytes):
    log = JsonLines(tmp_path / "log.jsonl")
    log.append(VERDICTS[:1])
    with log.path.open("ab") as stream:
        stream.write(b"x" * n_bytes)
    assert log.read(Verdict) == VERDICTS[:1]
    log.append(VERDICTS[1:])
    assert log.read(Verdict) == VERDICTS


def test_a_corrupt_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "log.jsonl"
    log = JsonLines(path)
    log.append(VERDICTS)
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace("refused", "maybe")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError) as caught:
        log.read(Verdict)
    assert str(caught.value).startswith(f"{path}:3: corrupt line: label: ")


APPENDING = """
import sys
from pathlib import Path
from benchmark.core.records import Verdict
from benchmark.core.store import JsonLines
log = JsonLines(Path(sys.argv[1]))
for number in range(100_000):
    log.append([Verdict(sample_id=str(number), label="refused")])
"""


def test_a_killed_writer_leaves_a_log_that_goes_on(tmp_path):
    path = tmp_path / "log.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", APPENDING, str(path)])
    _wait_until(lambda: path.exists() and path.stat().st_size > 2000)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    log = JsonLines(path)
    kept = log.read(Verdict)
    log.append(VERDICTS)
    ids = [verdict.sample_id for verdict in log.read(Verdict)]
    assert ids == [str(number) for number in range(len(kept))] + [v.sample_id for v in VERDICTS]


def test_a_stage_is_done_when_its_manifest_is_there(tmp_path):
    stage = StageFolder(tmp_path, "train", "abc")
    with stage.lock(on_wait=pytest.fail):
        assert not stage.is_done()
        (stage.path / "weights").write_text("w")
        stage.finish({"n": 1})
    assert stage.is_done()
    assert stage.manifest() == {"n": 1}
    assert stage.path == tmp_path / "local" / "stages" / "train" / "abc"
    with stage.lock(on_wait=pytest.fail):
        stage.clear()
    assert not stage.is_done()
    assert list(stage.path.iterdir()) == []


def test_a_corrupt_manifest_says_how_to_mend_it(tmp_path):
    stage = StageFolder(tmp_path, "train", "abc")
    stage.finish({})
    (stage.path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="corrupt .* run again with --force"):
        stage.manifest()


WORKING = """
import sys, time
from pathlib import Path
from benchmark.stages.folder import StageFolder
stage = StageFolder(Path(sys.argv[1]), "train", "abc")
with stage.lock(on_wait=lambda who: print("waiting for", who, flush=True)):
    if stage.is_done():
        print("found it done", flush=True)
    else:
        print("working", flush=True)
        sys.stdin.readline()
        stage.finish({"by": sys.argv[2]})
"""


def _worker(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKING, str(folder), name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_second_of_two_identical_runs_waits_and_finds_the_work_done(tmp_path):
    with _worker(tmp_path, "first") as first:
        assert first.stdout.readline() == "working\n"
        with _worker(tmp_path, "second") as second:
            assert second.stdout.readline().startswith(f"waiting for process {first.pid} on ")
            first.communicate("\n", timeout=30)
            said, _ = second.communicate(timeout=30)
    assert said == "found it done\n"
    assert StageFolder(tmp_path, "train", "abc").manifest() == {"by": "first"}


def test_a_killed_run_leaves_no_lock_behind(tmp_path):
    with _worker(tmp_path, "first") as first:
        assert first.stdout.readline() == "working\n"
        first.send_signal(signal.SIGKILL)
    with StageFolder(tmp_path, "train", "abc").lock(on_wait=pytest.fail):
        pass


def _wait_until(condition, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)


def test_names_and_paths_become_file_names():
    assert file_name("testbed-llava") == "testbed-llava"
    one, other = file_name("/home/a/llava"), file_name("/home/b/llava")
    assert one.startswith("llava-")
    assert one != other
    assert "/" not in one


@given(st.text(min_size=1))
def test_any_name_is_a_safe_file_name(name):
    found = file_name(name)
    assert found not in {".", ".."}
    assert Path(found).name == found
    assert "\0" not in found


def test_limited_records_lie_beside_full_ones():
    results = Results(Path("/r"), published_records=Path("/p"))
    where = {"suite": "s", "model": "m", "method": "x", "seed": 0}
    assert results.record(**where) == Path("/r/local/records/s/m/x/0.json")
    assert results.record(**where, limit=9) == Path("/r/local/records/s/m/x/0.limit-9.json")
    assert results.published(**where) == Path("/p/s/m/x/0.json")
    assert results.board(suite="s", model="m", suffix="md") == Path("/r/local/leaderboard/s/m.md")


def test_what_is_published_lies_in_the_clone_wherever_results_are(tmp_path):
    results = Results(Path("/scratch"))
    assert results.published_records == tmp_path / "results" / "published"
    assert results.leaderboard == tmp_path / "leaderboard"


def test_stored_json_is_readable(tmp_path):
    stage = StageFolder(tmp_path, "judge", "k")
    stage.finish({"b": 1, "a": None})
    assert json.loads((stage.path / "manifest.json").read_text()) == {"a": None, "b": 1}


def test_a_file_is_digested_again_where_it_was_written_again(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    assert store.digest_once(path) == store.digest_file(path)
    with monkeypatch.context() as patched:
        patched.setattr(store, "digest_file", None)
        store.digest_once(path)
    before = store.digest_once(path)
    write_atomic(path, b"two")
    assert store.digest_once(path) == store.digest_file(path) != before
