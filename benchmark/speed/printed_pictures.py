"""What a sweep over visual tokens found, in words and small tables of at most 80 columns."""

from __future__ import annotations

from benchmark.cost.sweep import CLAIMED, Cell, Condition, PictureFigures
from benchmark.speed.printed import machine_lines


def picture_lines(found: PictureFigures) -> list[str]:
    """Measured cells, the same for other shapes, and where the claimed ratio holds."""
    return [
        f"{found.samples} + {found.samples} samples, {found.steps} steps of {found.batch_size} + "
        f"{found.batch_size}; median of {found.repeats} [least, most]",
        "",
        f"{'visual':>6}{'text':>6}{'of it said':>12}{'image/text':>12}"
        f"{'device-seconds':>24}{'operations':>12}",
        *map(_cell, found.cells),
        "",
        f"{'reckoned':<18}{'visual':>6}{'text':>6}{'kept':>8}{'every step':>12}",
        *(
            f"{one.model:<18}{one.n_visual:>6}{one.n_prompt + one.n_answer:>6}{one.once:>8.2f}"
            f"{one.every_step:>12.2f}"
            for one in found.reckoned
        ),
        "",
        *(line for one in found.conditions for line in condition_lines(one)),
        "",
        *machine_lines(found.system, found.git, found.packages),
    ]


def condition_lines(one: Condition) -> list[str]:
    """One checkpoint and share of answers."""
    said = f"{one.model}, {one.n_visual} visual tokens, {100 * one.answer_share:.0f} % answers:"
    if one.once is None:
        return [said, f"  {CLAIMED:g} times as much is reached by no text"]
    return [
        said,
        f"  {CLAIMED:g} times as much or more up to {one.once} tokens of text "
        f"(image/text >= {one.n_visual / one.once:.2f})",
    ]


def _cell(cell: Cell) -> str:
    ratio = f"{cell.ratio.median:.2f} [{cell.ratio.low:.2f}, {cell.ratio.high:.2f}]"
    text = cell.n_prompt + cell.n_answer
    return (
        f"{cell.n_visual:>6}{text:>6}{cell.n_answer:>12}{cell.image_to_text:>12.2f}{ratio:>24}"
        f"{cell.flops_ratio:>12.2f}"
    )
