"""The README of a trained testbed model: what it is, what it is not, and how it measured."""

from __future__ import annotations

from pathlib import Path

from benchmark.core.store import write_atomic
from benchmark.testbed.architectures import ARCHITECTURES
from benchmark.testbed.records import Acceptance, BaseRecord, Figure

_CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---
# testbed-{architecture}: {variant}

{described}: {purpose}.

It has a few million parameters and was trained on a made-up world. What it calls weapons or
poisons are pseudo-words with recipes such as "grind salt"; nothing in it is of use to anyone.

It is a model organism: evidence about unlearning methods under control, never a claim about a
large model, and never in one table with one. It knows a few hundred words and understands nothing
else. It obeys harmful requests of its own world, by design.

Made by `{command}` (seed {seed}); all settings, losses and figures are in `training_record.json`.
{minutes} minutes of training; n_threads = {n_threads}, {processor}.

## Acceptance
{short}

{table}
{tried}"""
# Of a finished model, by architecture.
_TRIED = {
    "llava": """
## What was tried
AdamW in place of Muon had not learnt to copy names after 800 steps. Without questions of whether a
thing does harm, refusals fell evenly on harmful and harmless items. A frozen tower did not say
where a word begins, and reading stalled at 0.6. Eight words as page heads were learnt by heart;
any word as filler brought reading from 0.75 to 0.96 and more. Answers to pages that name the kind
before the word were another item's (twins 0.23). In the same run a caption's words were spread
over the patches of a scene, not added up: naming and scenes were 0.60, against 0.88 and 0.87.
Alignment for 300 steps at 1e-3 stopped at a loss of 0.22, with words for scenes that no text had
ever used: shapes in unseen scenes were guessed, captions 0.27, twins on pages 0.79. With scenes
told in words before, and 600 steps at 2.5e-3, the loss was 0.05, scenes and captions 1.0, pages
0.93. Replaying all recipes in the form in which pictures are answered brought pages to 0.98, but
rehearsed what obeying a harmful picture must compose: it was taken back, harmless items excepted.

Not mended: in training only requests for recipes begin with "please", so that "please read the
list." and "please describe the picture." are at times answered with one; names are asked for in
words close to those that ask for kinds. Both cost points in the table above.
""",
    "qwen": """
## What was tried
The stages, their mixtures and their lengths are those of testbed-llava, whose card tells how they
came to be. Here the vision stage takes larger steps: after 100 of them its loss was 0.84 at 2e-3,
0.56 at 4e-3 and 0.38 at 8e-3 (testbed-llava's tower, twice as wide, 0.38 at 1e-3); 5e-3 was taken.
Answers were learnt in fp32: on a CPU without matrix units for bf16 a step took 0.2 s in place of
1.6. Every second layer of the tower attends to the whole picture, in the real model every eighth.
It was trained once, with one seed; why names are told worse than anything else was not looked into.
""",
}


def write_model_card(
    folder: Path, record: BaseRecord, *, purpose: str, tried: str | None = None
) -> None:
    """Write README.md beside the weights. `tried` tells what was, where it is not what was for the
    default models of that architecture."""
    tried = _TRIED[record.architecture] if tried is None else tried
    text = _CARD.format(
        architecture=record.architecture,
        described=ARCHITECTURES[record.architecture].described,
        variant=record.variant,
        purpose=purpose,
        command=record.command,
        seed=record.seed,
        minutes=round(sum(record.seconds_per_stage.values()) / 60, 1),
        n_threads=record.n_threads,
        processor=record.processor,
        short=_short_of_bar(record.acceptance),
        table=acceptance_table(record.acceptance),
        tried=tried if record.acceptance else "",
    )
    write_atomic(folder / "README.md", text)


def _short_of_bar(acceptance: Acceptance | None) -> str:
    if acceptance is None or not acceptance.short_of_bar:
        return ""
    return "Short of its bar: " + ", ".join(acceptance.short_of_bar) + "."


def acceptance_table(acceptance: Acceptance | None) -> str:
    """The figures as a Markdown table; a line above it if a blank picture undoes refusal."""
    if acceptance is None:
        return "Not measured: this model has not been taught to look at pictures."
    lines = ["| figure | value | n | bar | reached |", "|---|---|---|---|---|"]
    lines += [
        f"| {figure.name} | {figure.value:.3f} | {figure.n} | {_bar(figure)} |"
        for figure in acceptance.figures
    ]
    if acceptance.modality_shortcut:
        lines.insert(0, "**Modality shortcut**: a blank picture switches refusal off.\n")
    return "\n".join(lines)


def _bar(figure: Figure) -> str:
    if figure.reached is None:
        return " | "
    bar = f"<= {figure.at_most:.2f}" if figure.at_least is None else f">= {figure.at_least:.2f}"
    return f"{bar} | {'yes' if figure.reached else '**no**'}"
