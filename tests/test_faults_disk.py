"""A disk that fills up, or fails, during each kind of write; and two runs at once in one folder.

One command after another meets its fault in the same folder, each at a later kind of write: what
was done before stays, and at the end, with room, all is as in a run that met none.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from faults.damage import truncate
from faults.outcome import Undisturbed, asked_twice, check_whole, outcome_of
from faults.product import Ended, Product
from faults.small_run import plot, publish, run
from faults.traps import Fill, Refuse, Trap

from benchmark.core.store import StorageError
from benchmark.cost.meter import FIRST_LOOKS_S, Meter

DISK_BYTES = 24 * 2**20
# Room for a line of a log, and for no file of tensors.
A_LINE_BYTES = 8192
# One checkpoint, when the training is done.
RUN = run(checkpoint_every_s=1000.0)
TRAINING = "results/local/stages/train/*"


@dataclass(frozen=True)
class Write:
    """A kind of write: the command that comes to it, the pattern of its files, and of the operation
    just before it where native code writes without telling."""

    what: str
    command: Sequence[str]
    path: str
    before: Trap | None = None

    def trap(self, deed: Fill | Refuse) -> Trap:
        """Spring at the write."""
        return self.before or Trap(pattern=self.path, kind="write", deed=deed)


TOLD = (
    Write("lock", RUN, "results/local/stages/train/*.lock"),
    Write("ledger", RUN, f"{TRAINING}/cost.jsonl"),
    Write("loss log", RUN, f"{TRAINING}/train.losses.jsonl"),
    Write("adapter's settings", RUN, f"{TRAINING}/adapter_config.json"),
    Write("manifest", RUN, f"{TRAINING}/.manifest.json.*"),
    Write("rendered image", RUN, "results/local/images/*"),
    Write("answers", RUN, "results/local/stages/generate/*/answers.jsonl"),
    Write("judge's log", RUN, "results/local/stages/judge/*/verdicts.jsonl"),
    Write("verdict table", RUN, "results/local/records/*.verdicts.csv.gz.*"),
    Write("record", RUN, "results/local/records/*/.0.json.*"),
    Write("board", RUN, "results/local/leaderboard/*.json.*"),
    Write("published verdicts", publish(), "results/published/*.verdicts.csv.gz.*"),
    Write("published record", publish(), "results/published/*/.0.json.*"),
    Write("published board", publish(), "leaderboard/*.csv.*"),
    Write("plot", plot(), "results/local/plots/*.png.*"),
)  # fmt: skip
# Native code writes these without telling.
UNTOLD = (
    Write(
        "checkpoint", RUN, f"{TRAINING}/train.checkpoint.pt",
        Trap(pattern=f"{TRAINING}/train.losses.jsonl", kind="write", deed=Fill(
            leaving_bytes=A_LINE_BYTES)),
    ),
    Write(
        "artifact", RUN, f"{TRAINING}/adapter_model.safetensors",
        Trap(pattern=f"{TRAINING}/train.checkpoint.pt", kind="rename", deed=Fill(
            leaving_bytes=A_LINE_BYTES)),
    ),
)  # fmt: skip

OTHER_WAYS = {
    "ledger": errno.EROFS,
    "manifest": errno.EDQUOT,
    "answers": errno.EIO,
    "record": errno.EACCES,
    "board": errno.EROFS,
    "published record": errno.EIO,
}


def check_refusal(ended: Ended, write: Write, *, error: int, folder: Path) -> None:
    """One line with the path and what is wrong with it, and nothing broken left behind."""
    assert ended.sprung, f"no write of a {write.what} was come to"
    assert ended.code == 2, (write.what, ended.code, ended.err)
    assert "Traceback" not in ended.err, (write.what, ended.err)
    (line,) = ended.error_lines
    assert os.strerror(error) in line, (write.what, line)
    named = next(word for word in line.replace(":", " ").split() if word.startswith(str(folder)))
    path = named.removeprefix(f"{folder}/")
    pattern = write.path.removesuffix(".*").replace("/.", "/")
    assert fnmatchcase(path, pattern), (write.what, line)
    check_whole(folder)


def finish(product: Product, undisturbed: Undisturbed, folder: Path) -> None:
    """With room, all is as if there always had been."""
    for command in (RUN, publish(), plot()):
        ended = product.run(command, folder=folder)
        assert ended.code == 0, ended.err
    assert outcome_of(folder) == undisturbed.outcome
    assert asked_twice(folder) == 0


def test_a_disk_that_is_full_at_each_kind_of_write(
    product: Product, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    folder = tmp_path / "full"
    deed, disk_bytes = Fill(), DISK_BYTES
    if not product.has_small_disks():
        # Where nothing may be mounted, not even in a namespace of one's own: as near as it comes.
        deed, disk_bytes = Refuse(errno=errno.ENOSPC), None
    for write in TOLD:
        traps = [write.trap(deed)]
        ended = product.run(write.command, folder=folder, traps=traps, disk_bytes=disk_bytes)
        check_refusal(ended, write, error=errno.ENOSPC, folder=folder)
    finish(product, undisturbed, folder)
    kind = "a small disk" if disk_bytes else "a disk that plays full"
    print(f"{kind}, full at {len(TOLD)} kinds of write: one line each, and all went on")


@pytest.mark.parametrize("write", UNTOLD, ids=lambda write: write.what)
def test_a_disk_that_is_full_when_tensors_are_written(
    product: Product, undisturbed: Undisturbed, tmp_path: Path, write: Write
) -> None:
    if not product.has_small_disks():
        pytest.skip(f"{write.what}: native code meets a full disk alone, and none may be mounted")
    folder, traps = tmp_path / "full", [write.trap(Fill())]
    ended = product.run(write.command, folder=folder, traps=traps, disk_bytes=DISK_BYTES)
    check_refusal(ended, write, error=errno.ENOSPC, folder=folder)
    finish(product, undisturbed, folder)
    print(f"a small disk, full when tensors are written ({write.what}): one line, and all went on")


def test_a_disk_that_fails_in_other_ways(
    product: Product, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    folder = tmp_path / "refused"
    told = {write.what: write for write in TOLD}
    for what, error in OTHER_WAYS.items():
        write, trap = told[what], told[what].trap(Refuse(errno=error))
        ended = product.run(write.command, folder=folder, traps=[trap])
        check_refusal(ended, write, error=error, folder=folder)
    finish(product, undisturbed, folder)


def test_two_at_once_do_the_work_once(
    product: Product, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    folder = tmp_path / "twice"
    both = product.at_once([run(), run()], folder=folder)
    assert [ended.code for ended in both] == [0, 0], [ended.err for ended in both]
    assert any("waiting: process " in ended.err for ended in both)
    both = product.at_once([publish(), publish()], folder=folder)
    assert [ended.code for ended in both] == [0, 0], [ended.err for ended in both]
    assert outcome_of(folder) == undisturbed.outcome
    assert asked_twice(folder) == 0


def test_who_waits_goes_on_where_a_killed_one_stopped(
    product: Product, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    folder = tmp_path / "taken-over"
    holder = product.start(run(), folder=folder)
    until(lambda: any(folder.glob(f"{TRAINING}/train.checkpoint.pt")))
    holder.freeze()
    waiting = product.start(run(), folder=folder)
    until(lambda: f"waiting: process {holder.process} on " in waiting.err)
    holder.kill()
    assert holder.wait().killed
    ended = waiting.wait()
    assert ended.code == 0, ended.err
    product.run(publish(), folder=folder)
    assert outcome_of(folder) == undisturbed.outcome


def test_a_sign_of_life_that_cannot_be_written_stops_nothing_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    meter = Meter(tmp_path / "cost.jsonl", device="cpu")

    def work() -> None:
        with meter.running():
            (tmp_path / "cost.jsonl").unlink()
            (tmp_path / "cost.jsonl").mkdir()
            time.sleep(2 * sum(FIRST_LOOKS_S[:2]))

    with pytest.raises(StorageError, match="cost.jsonl: Is a directory"):
        work()
    assert not raised


DAMAGES = {
    "generate/*/answers.jsonl": lambda path: truncate(path, at=0.5),
    "judge/*/verdicts.jsonl": lambda path: truncate(path, at=0.5),
    "generate/*/manifest.json": lambda path: truncate(path, at=0.5),
    "judge/*/manifest.json": lambda path: path.write_text("[]"),
    "train/*/manifest.json": lambda path: path.write_text("{}"),
}


@pytest.mark.parametrize("pattern", DAMAGES)
def test_a_damaged_file_of_a_finished_stage_is_one_line(
    product: Product, undisturbed: Undisturbed, tmp_path: Path, pattern: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(undisturbed.folder, folder)
    damaged = sorted(folder.glob(f"results/local/stages/{pattern}"))
    for path in damaged:
        DAMAGES[pattern](path)
    ended = product.run(RUN, folder=folder)
    assert ended.code == 2 and "Traceback" not in ended.err, ended.err
    (line,) = ended.error_lines
    assert any(str(path) in line for path in damaged), line


def until(reached: Callable[[], bool], deadline_s: float = 60.0) -> None:
    deadline = time.monotonic() + deadline_s
    while not reached():
        assert time.monotonic() < deadline, "it did not get that far"
        time.sleep(0.01)
