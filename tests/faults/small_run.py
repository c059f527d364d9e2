"""A run of a few seconds that does all that a large one does, and the publishing of it."""

from __future__ import annotations

from pathlib import Path

from live_models import untrained_checkpoint

from benchmark.core.paths import file_name

SUITE = Path(__file__).resolve().parents[1] / "suites" / "small-safety.yaml"
SETTINGS = ("batch_size=2", "learning_rate=0.01", "steps=6")
ROW = "+".join(["textual_unlearning", *SETTINGS])


def run(*, checkpoint_every_s: float = 0.0) -> list[str]:
    """Train, answer, judge, score: the method's row and the untouched model's."""
    return [
        "run", "--method", "textual_unlearning", "--set", " ".join(SETTINGS),
        "--model", str(untrained_checkpoint()), "--suite", str(SUITE), "--device", "cpu",
        "--checkpoint-every", str(checkpoint_every_s),
    ]  # fmt: skip


def publish() -> list[str]:
    """Copy both rows' records, and make the boards."""
    return ["publish", "--method", f"original,{ROW}", *_where()]


def plot() -> list[str]:
    """Draw the losses of its training."""
    return ["plot", "run", ROW, *_where()]


def _where() -> list[str]:
    return ["--model", file_name(str(untrained_checkpoint())), "--suite", SUITE.stem]
