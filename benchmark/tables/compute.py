"""The parts of a board's page about compute: hours, ratios, stages."""

from __future__ import annotations

from typing import get_args

from benchmark.core.records import Stage
from benchmark.tables.board import Board, RowCost
from benchmark.tables.cells import MISSING, UNIT_NAMES, markdown_table, mebibytes, number, ratio
from benchmark.tables.costs import YARDSTICK

STAGES: tuple[Stage, ...] = get_args(Stage)


def unit_name(board: Board) -> str:
    """What a second of a device is a second of on this board: of a CPU core, or of a GPU."""
    units = {UNIT_NAMES[row.cost.device_unit] for row in board.rows if row.cost}
    return " / ".join(sorted(units)) or "device"


def training_words(cost: RowCost | None, *, seconds: float = 1) -> str:
    """What training took, in units of so many seconds; `none` where nothing is trained."""
    if cost is None:
        return MISSING
    return number(cost.training_s / seconds) if cost.trains else "none"


def cost_summary(board: Board) -> str:
    """Training time, and its ratio to the yardstick on the same device."""
    unit = unit_name(board)
    header = ["method", f"training, {unit}-hours", f"search, {unit}-hours", "trials"]
    header += [f"ratio to {YARDSTICK}", "ratio of operations", "trained parameters", "device"]
    rows = []
    for row in board.rows:
        cost = row.cost
        if cost is None:
            rows.append([row.name, *[MISSING] * (len(header) - 1)])
            continue
        cells = [row.name, training_words(cost, seconds=3600), number(_hours(cost.search_s))]
        cells += [str(cost.n_trials) if cost.n_trials is not None else MISSING]
        cells += [ratio(cost.ratio), ratio(cost.flops_ratio), f"{cost.trainable_params:,}"]
        rows.append([*cells, cost.device_name])
    caption = (
        f"{unit}-hours of one run's training, caches included and charged as if cold; the mean "
        f"over seeds. The ratio is blank (`{MISSING}`) where `{YARDSTICK}` has not run on the same "
        "device: devices are never compared. `none`: nothing is trained here (what making the "
        "untouched model and gold took is in the records that lie with them). Search is what "
        "choosing the settings took, over all its trials."
    )
    return f"{caption}\n\n{markdown_table(header, rows)}"


def stage_table(board: Board) -> str:
    """Device-seconds by stage, with what was wasted, and what was read."""
    unit = unit_name(board)
    asked = {stage for row in board.rows if row.cost for stage in row.cost.stages_s}
    stages = [stage for stage in STAGES if stage in asked]
    if not stages:
        return "No stage was measured yet."
    header = ["method", *stages, "wasted", "peak MiB", "operations", "tokens", "image tokens"]
    rows = [[row.name, *_stage_cells(row.cost, stages)] for row in board.rows]
    caption = (
        f"{unit}-seconds per stage, the mean over seeds. Wasted: what killed and failed attempts "
        "lost, summed over seeds and not part of the others. Operations and tokens are training's."
    )
    return f"{caption}\n\n{markdown_table(header, rows)}"


def _stage_cells(cost: RowCost | None, stages: list[Stage]) -> list[str]:
    if cost is None:
        return [MISSING] * (len(stages) + 5)
    cells = [number(cost.stages_s.get(stage)) for stage in stages]
    cells += [number(cost.wasted_s), mebibytes(cost.peak_memory_bytes)]
    operations = MISSING if cost.flops is None else f"{cost.flops:.2e}"
    return [*cells, operations, _count(cost.n_tokens), _count(cost.n_image_tokens)]


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 3600


def _count(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.0f}"
