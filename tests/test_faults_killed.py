"""SIGKILL at forty random moments of a run: after a restart it ends as if nothing had happened.

A moment is a file operation of some stage, drawn by a seed, and a blink after it. Between two such
operations the disk does not change, so that a kill there is the same as one at the next of them.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from faults.outcome import Undisturbed, asked_twice, check_whole, outcome_of
from faults.product import Product
from faults.small_run import publish, run
from faults.traps import Kill, Trap

N_ROUNDS = 4
# By stage: where its files lie, and how many operations on them there are at the least after a
# restart, the last of them no later than a blink before the end.
PLACES = {
    "training": ("results/local/stages/train/*", 12),
    "generation": ("results/local/stages/generate/*", 12),
    "judging": ("results/local/stages/judge/*", 14),
    "record": ("results/local/records/*", 6),
    "publishing": ("results/published/*", 12),
    "table": ("*leaderboard/*", 18),
}
WHILE_RUNNING = (
    "training", "training", "generation", "generation", "generation", "judging", "judging",
    "record",
)  # fmt: skip
WHILE_PUBLISHING = ("publishing", "table")
BLINK_S = 0.002


def kill_at_random(
    product: Product, command: list[str], *, stage: str, folder: Path, draw: random.Random
) -> None:
    """Start the command and have it killed somewhere in the stage."""
    pattern, n_operations = PLACES[stage]
    deed = Kill(after_s=draw.choice((0.0, draw.uniform(0.0, BLINK_S))))
    trap = Trap(pattern=pattern, nth=draw.randint(1, n_operations), deed=deed)
    ended = product.run(command, folder=folder, traps=[trap])
    assert ended.killed, f"{trap} did not spring, {ended.code}: {ended.err}"


def test_forty_kills_lose_nothing_and_repeat_nothing(
    product: Product, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    kills: Counter[str] = Counter()
    n_lost = n_twice = 0
    for number in range(N_ROUNDS):
        folder, draw = tmp_path / str(number), random.Random(number)
        for command, stages in ((run(), WHILE_RUNNING), (publish(), WHILE_PUBLISHING)):
            for stage in stages:
                kill_at_random(product, command, stage=stage, folder=folder, draw=draw)
                kills[stage] += 1
                check_whole(folder)
            ended = product.run(command, folder=folder)
            assert ended.code == 0, ended.err
        found = outcome_of(folder)
        n_lost += undisturbed.outcome.n_answers - found.n_answers
        n_twice += asked_twice(folder)
        assert found == undisturbed.outcome
        assert not any(folder.rglob("*.checkpoint.pt*")), "a finished training keeps no checkpoint"
    told = ", ".join(f"{stage} {n}" for stage, n in kills.items())
    print(
        f"{kills.total()} kills: {told}; {N_ROUNDS} runs finished, {n_lost} answers lost, "
        f"{n_twice} asked twice, scores and boards equal"
    )
    assert kills.total() == 40
    assert n_lost == n_twice == 0


def test_the_same_command_again_repeats_nothing(product: Product, undisturbed: Undisturbed) -> None:
    again = product.run(run(), folder=undisturbed.folder)
    assert again.code == 0, again.err
    stages = [one for one in again.operations if one.path.startswith("results/local/stages/")]
    assert stages and all(one.path.endswith(".lock") for one in stages)
    assert outcome_of(undisturbed.folder) == undisturbed.outcome
