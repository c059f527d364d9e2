"""What a run is charged: device-seconds by stage, on a device that is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmark.core import environment
from benchmark.core.records import Cost, Stage, StageCost, System
from benchmark.cost.meter import spent, total

if TYPE_CHECKING:
    from benchmark.stages.known import Known


def cost_of(known: Known) -> Cost | None:
    """What its stages took so far, the one that did not finish among them."""
    stages: dict[Stage, StageCost] = {}
    if known.artifact:
        cached = {"from_cache": known.artifact.from_cache}
        stages["train"] = known.artifact.info.cost.model_copy(update=cached)
    if known.attacked and known.attacked.cost:
        stages["attack"] = known.attacked.cost
    if known.answered:
        stages["generate"] = known.answered.cost
    if known.judged:
        stages["judge"] = total(known.judged.costs.values())
    if known.measured and known.measured.cost:
        stages["likelihood"] = known.measured.cost
    unfinished = [cost for folder in known.begun if (cost := spent(folder)) is not None]
    if unfinished and known.stage not in stages:
        stages[known.stage] = total(unfinished)
    if not stages:
        return None
    system = system_of(known.request.device)
    on_gpu = known.request.device.startswith("cuda")
    log = known.artifact.info.training if known.artifact and on_gpu else None
    return Cost(
        device_unit="gpu" if on_gpu else "cpu-core",
        device_name=system.device_name,
        n_devices=max((one.processes for one in log.divisions), default=1) if log else 1,
        stages=stages,
    )


def system_of(device: str) -> System:
    """The machine as it is for that device."""
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
        return environment.system(device=device, device_name=name)
    return environment.system(device=device, n_threads=torch.get_num_threads())
