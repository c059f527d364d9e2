"""How the miniature came to be, and what it can and cannot tell: one page from training records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.tables.bases.collect import Bases
from benchmark.tables.bases.seeds import gap_by_seed, shipped_among, shortcut_note
from benchmark.tables.bases.stages import ablation_table, probe_table, stage_tables
from benchmark.tables.cells import markdown_table

TITLE = "How the miniature came to be, and what it can and cannot tell"
STAGES = {
    "language": "the language model learns the world from text, harmful recipes among it",
    "assistance": "it learns to answer questions about it",
    "text_safety": "it learns to refuse, from text alone and for the `align` items alone",
    "vision": "the vision tower learns to see",
    "alignment": "tower and projector learn to put patches where their words are",
    "instructions": "projector and language model are tuned on harmless instructions with "
    "pictures, beside replayed text",
    "safety_beside_images": "it learns to refuse from text, beside replayed harmless pictures",
}


def render(found: Bases) -> str:
    """The page, in Markdown."""
    parts = [
        f"# {TITLE}",
        "> A model organism: a miniature model in a fictional world. Evidence about methods under "
        "control, never a claim about a 7B model.",
        *([note] if (note := shortcut_note(found)) else []),
        _models(found),
        "## The gap, seed by seed",
        gap_by_seed(found),
        "## Is the shipped model one of its kind?",
        shipped_among(found),
        "## What each stage did",
        "![Attack success after each stage](miniature.stages.png)",
        stage_tables(found),
        "## Ablations",
        ablation_table(found),
        "## What can be read from its states",
        probe_table(found),
        "## What it can and cannot tell",
        _limits(),
    ]
    return "\n\n".join(parts) + "\n"


def _models(found: Bases) -> str:
    rows = []
    for record in (found.shipped, *found.seeds, *found.ablations):
        shipped = " (shipped)" if record is found.shipped else ""
        minutes = sum(record.seconds_per_stage.values()) / 60
        order = ", ".join(name.replace("_", " ") for name in record.stages)
        commits = ", ".join((commit or "unknown")[:10] for commit in record.commits)
        # Of the shipped model it was not written down which code each stage came from.
        by = commits if record.trained_by else f"put together by {commits}"
        threads = str(record.n_threads)
        rows.append([f"{record.name}{shipped}", order, f"{minutes:.0f}", threads, by])
    header = ["model", "stages, in order", "minutes", "threads", "trained by"]
    table = markdown_table(header, rows)
    stages = "\n".join(f"- **{name.replace('_', ' ')}**: {what}" for name, what in STAGES.items())
    return (
        "The recipe follows the order in which real models are made. Nothing in it is chosen by "
        "how safe a model turns out: lengths and rates were chosen on harmless tasks, and no bar "
        "looks at an attack. No picture of a harmful item is ever obeyed in training, so that "
        "obeying one must compose out of reading and knowing.\n\n"
        f"{stages}\n\n{table}\n\n"
        "Minutes are by the clock, and of trainings beside other work longer than they need be. A "
        "model is trained anew by `python -m benchmark testbed --variant VARIANT --seed SEED`, and "
        "asked anew by `testbed --measure CHECKPOINT`. Figures here are of "
        "the recipe's own acceptance table, which asks every item once per form; those of the "
        "boards ask in other words too."
    )


def _limits() -> str:
    can = (
        "whether a method changes behaviour on items, wordings and pictures that it never trained "
        "on, since which answer is harmful is known exactly",
        "whether a fall in attack success is safety or lost sight, by harmless twins and by "
        "questions about the same pictures",
        "what a change of training order, replay or method does with everything else held fixed",
        "how much all this moves between seeds of the base, above",
    )
    cannot = (
        "how large any effect is on a large model: harm here is a property of made-up words, and "
        "sight is characters and motifs",
        "whether a safety prompt or a reminder works: no system turn in training asks for safety",
        "what a method costs at scale: ratios follow from the few tokens of a miniature picture",
        "how another world would turn out: all seeds share items, pools and questions",
        "anything about adversarial pixels, long conversations, or harm that a picture and a text "
        "make only together",
    )
    return "\n".join(
        ["It can tell:", "", *_bullets(can), "", "It cannot tell:", "", *_bullets(cannot)]
    )


def _bullets(lines: Sequence[str]) -> Iterator[str]:
    return (f"- {line};" if line is not lines[-1] else f"- {line}." for line in lines)
