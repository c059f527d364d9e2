"""What rows cost, and how much of what `textual_unlearning` costs on the same device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from benchmark.core.records import Cost, RunRecord, Stage
from benchmark.tables.board import RowCost

YARDSTICK = "textual_unlearning"
TRAINING: tuple[Stage, ...] = ("caches", "train")


def row_cost(records: Sequence[RunRecord]) -> RowCost | None:
    """Means over the runs of one row; None if they were on different devices, not all with gradient
    checkpointing, which trades time for memory, or measured nothing.

    What came from a cache is charged as if it had been done, so that order of runs does not matter.
    """
    costs = [record.cost for record in records if record.cost is not None]
    unlike = {(cost.device_unit, cost.device_name) for cost in costs}
    if not costs or len(unlike) > 1 or len({r.spec.gradient_checkpointing for r in records}) > 1:
        return None
    stages: list[Stage] = list(dict.fromkeys(stage for cost in costs for stage in cost.stages))
    selection = records[0].selection
    training = [record.training for record in records if record.training is not None]
    cost = RowCost(
        device_unit=costs[0].device_unit,
        device_name=costs[0].device_name,
        training_s=fmean(_training_s(cost) for cost in costs),
        stages_s={stage: fmean(_stage_s(cost, stage) for cost in costs) for stage in stages},
        wasted_s=sum(stage.wasted_s for cost in costs for stage in cost.stages.values()),
        search_s=selection.device_s if selection else None,
        n_trials=selection.n_trials if selection else None,
        peak_memory_bytes=max(
            (
                stage.peak_memory_bytes
                for cost in costs
                for stage in cost.stages.values()
                if stage.peak_memory_bytes is not None
            ),
            default=None,
        ),
        trainable_params=max(record.method.trainable_params for record in records),
        flops=_mean_flops(costs),
        n_tokens=fmean(log.n_tokens for log in training) if training else None,
        n_image_tokens=fmean(log.n_image_tokens for log in training) if training else None,
    )
    return cost if cost.trains else cost.model_copy(update={"training_s": 0.0})


def with_ratios(costs: Mapping[str, RowCost | None]) -> dict[str, RowCost | None]:
    """Set every row's cost beside the yardstick's; blank where that was on another device, and of
    what trains nothing."""
    yardstick = costs.get(YARDSTICK)
    return {name: _beside(cost, yardstick) for name, cost in costs.items()}


def _beside(cost: RowCost | None, yardstick: RowCost | None) -> RowCost | None:
    if cost is None or yardstick is None or cost.device_name != yardstick.device_name:
        return cost
    if not cost.trains:
        return cost
    ratio = cost.training_s / yardstick.training_s if yardstick.training_s else None
    flops_ratio = None
    if cost.flops is not None and yardstick.flops:
        flops_ratio = cost.flops / yardstick.flops
    return cost.model_copy(update={"ratio": ratio, "flops_ratio": flops_ratio})


def _training_s(cost: Cost) -> float:
    return sum(_stage_s(cost, stage) for stage in TRAINING)


def _stage_s(cost: Cost, stage: Stage) -> float:
    found = cost.stages.get(stage)
    return found.device_s if found else 0.0


def _mean_flops(costs: Sequence[Cost]) -> float | None:
    """Training operations; None unless every run counted them."""
    found = [stage.flops for cost in costs if (stage := cost.stages.get("train"))]
    counted = [flops for flops in found if flops is not None]
    return fmean(counted) if counted and len(counted) == len(costs) else None
