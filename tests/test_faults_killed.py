"""SIGKILL at forty moments of a run, drawn by a seed: each attempt goes on where the one before it
was killed, and after the last all is as if nothing had happened.

A moment is an operation on a file, or a blink after it. No answer that is on disk is asked again,
no training step taken again that is in a checkpoint, no stage done again that is done. Judging
alone is redone whole where it was begun, since its verdicts are written together, at its end.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faults.attempts import Attempts, Tally
from faults.kept import kept_in, resumed_at_steps
from faults.moments import WHILE_PUBLISHING, WHILE_RUNNING
from faults.outcome import Undisturbed, asked_twice, outcome_of
from faults.product import Product
from faults.small_run import ROW, publish, run

# Of one folder, in which the run is killed over and over until it is done and published.
KILLS_WHILE_RUNNING, KILLS_WHILE_PUBLISHING = 8, 2
# Four, and two for aims that a blink went past.
MOST_FOLDERS = 6


def test_forty_kills_lose_nothing_and_ask_nothing_again(
    product: Product, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    tally, draw, n_folders = Tally(), random.Random(0), 0
    plans = [
        (run(), undisturbed.while_running, [*WHILE_RUNNING], KILLS_WHILE_RUNNING),
        (publish(), undisturbed.while_publishing, [*WHILE_PUBLISHING], KILLS_WHILE_PUBLISHING),
    ]
    for _, _, aims, _ in plans:
        draw.shuffle(aims)
    while any(aims for _, _, aims, _ in plans):
        assert n_folders < MOST_FOLDERS, [str(aim) for _, _, aims, _ in plans for aim in aims]
        attempts = Attempts(product=product, folder=tmp_path / str(n_folders), tally=tally)
        for command, operations, aims, n_kills in plans:
            these, aims[:] = aims[:n_kills], aims[n_kills:]
            aims += attempts.kill_at(these, command, operations, draw=draw)
        check_end(attempts, undisturbed)
        n_folders += 1
    print(
        f"{tally}\n{n_folders} runs finished, {tally.n_resumed} trainings went on at their last "
        f"checkpoint; {tally.n_lost} answers lost, {tally.n_asked_again} asked again, scores and "
        "boards equal; judging was redone whole where it was begun"
    )
    assert len(tally.hits) == 40
    assert {*tally.hits} == {*WHILE_RUNNING, *WHILE_PUBLISHING}
    assert (tally.n_lost, tally.n_asked_again) == (0, 0)
    assert tally.n_resumed > 0


def check_end(attempts: Attempts, undisturbed: Undisturbed) -> None:
    """All as in a run that nobody killed, but for where its training went on."""
    folder = attempts.folder
    assert outcome_of(folder) == undisturbed.outcome
    assert asked_twice(folder) == 0
    attempts.check_heard()
    trained = [made["training"] for made in kept_in(folder).done.values() if made.get("training")]
    (log,) = trained
    assert resumed_at_steps(folder, row=ROW) == [log["resumed_at_steps"]] * 2
    assert not any(folder.rglob("*.checkpoint.pt*")), "a finished training keeps no checkpoint"


def test_the_same_command_again_repeats_nothing(product: Product, undisturbed: Undisturbed) -> None:
    again = product.run(run(), folder=undisturbed.folder)
    assert again.code == 0, again.err
    stages = [one for one in again.operations if one.path.startswith("results/local/stages/")]
    assert stages and all(one.path.endswith(".lock") for one in stages)
    assert again.asked == []
    assert outcome_of(undisturbed.folder) == undisturbed.outcome


def test_one_that_hangs_is_none_that_was_killed(product: Product, tmp_path: Path) -> None:
    frozen = product.start(run(), folder=tmp_path / "frozen")
    frozen.freeze()
    with pytest.raises(AssertionError, match="it hung"):
        frozen.wait(deadline_s=0.1)
