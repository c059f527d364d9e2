"""The files of the page of costs, and the published sweep that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from benchmark.core.errors import UserError
from benchmark.core.store import Results, write_atomic
from benchmark.cost.sweep import CLAIMED, PictureFigures
from benchmark.tables.board import Board
from benchmark.tables.boards import plan_of_board
from benchmark.tables.figures.canvas import Picture
from benchmark.tables.pictured.drawn import CostPanel, CostToTarget, Dot, RatioCurves, Series
from benchmark.tables.pictured.frontier import BoardCosts, costs_of, frontier
from benchmark.tables.pictured.page import TITLE, render

NAME = "cost"
ENDINGS = ("png", "svg")


def sweep_path(results: Results) -> Path:
    """Where the published sweep lies."""
    return results.published_records / NAME / "pictures.json"


def publish_sweep(found: PictureFigures, results: Results) -> Path:
    """Keep it in place of the one before."""
    path = sweep_path(results)
    write_atomic(path, found.model_dump_json(indent=1) + "\n")
    return path


def read_sweep(results: Results) -> PictureFigures | None:
    """The published one; None where there is none, `UserError` for a damaged file."""
    path = sweep_path(results)
    if not path.is_file():
        return None
    try:
        return PictureFigures.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: no sweep that can be read; measure it again") from error


def cost_files(boards: Sequence[Board], results: Results) -> dict[Path, str | Picture]:
    """The page and its pictures; nothing where no sweep is published."""
    found = read_sweep(results)
    if found is None:
        return {}
    costs = [costs_of(board, plan=plan_of_board(board, results)) for board in boards]
    drawn: dict[str, Picture] = {"pictures": ratio_curves(found)}
    target = cost_to_target(costs)
    if target is not None:
        drawn["target"] = target
    names = [f"{NAME}.{name}.{ENDINGS[0]}" for name in drawn]
    files: dict[Path, str | Picture] = {
        results.leaderboard / f"{NAME}.md": render(found, costs, pictures=names)
    }
    for name, picture in drawn.items():
        files |= {results.leaderboard / f"{NAME}.{name}.{ending}": picture for ending in ENDINGS}
    return files


def cost_link() -> str:
    """What the README says of the page."""
    return (
        f"[{TITLE}](leaderboard/{NAME}.md): pictures against text, where the papers' "
        f"{CLAIMED:g} times holds, and the cheapest way under a given attack success."
    )


def ratio_curves(found: PictureFigures) -> RatioCurves:
    """Measured cells by device-seconds and by operations, and what is reckoned for other shapes."""
    measured = sorted(found.cells, key=lambda cell: cell.image_to_text)
    lines = [
        Series(
            name="miniature, measured device-seconds",
            points=tuple(
                (cell.image_to_text, cell.ratio.median, cell.ratio.low, cell.ratio.high)
                for cell in measured
            ),
        ),
        Series(
            name="miniature, operations",
            points=tuple(
                (cell.image_to_text, cell.flops_ratio, cell.flops_ratio, cell.flops_ratio)
                for cell in measured
            ),
        ),
    ]
    for model in dict.fromkeys(one.model for one in found.reckoned):
        own = [one for one in found.reckoned if one.model == model]
        places = sorted((one.n_visual / (one.n_prompt + one.n_answer), one.once) for one in own)
        lines.append(
            Series(
                name=f"{model}, operations reckoned",
                points=tuple((x, y, y, y) for x, y in places),
            )
        )
    return RatioCurves(
        title="What pictures add to the cost of unlearning",
        caption="The same loss on the same words, with and without a picture beside each request.",
        claimed=CLAIMED,
        series=tuple(lines),
    )


def cost_to_target(costs: Sequence[BoardCosts]) -> CostToTarget | None:
    """A panel for each board with any row that has both figures, all measured on one device."""
    panels = [_panel(one) for one in costs if one.comparable]
    if not panels:
        return None
    return CostToTarget(
        title="What safety costs",
        caption="Filled: may be ranked; hollow: below the line for another reason; cross: broken, "
        "fails twins, coherence or utility.\nThe line joins rows whose models work and that no "
        "cheaper one of them is as safe as; rows without room for a name stand on the boards.",
        panels=tuple(panels),
    )


def _panel(costs: BoardCosts) -> CostPanel:
    best = {point.name for point in frontier(costs.points)}
    dots = tuple(
        Dot(
            name=point.name, training_s=point.training_s, asr=point.asr, ranked=point.ranked,
            broken=bool(point.broken), best=point.name in best,
        )
        for point in costs.points
    )  # fmt: skip
    return CostPanel(title=f"{costs.suite}, {costs.model}", unit=costs.unit, dots=dots)
