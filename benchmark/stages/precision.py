"""In which precision a run has its weights, and computes."""

from __future__ import annotations

from typing import Any

from benchmark.api import TrainingConfig
from benchmark.core.roles import ADAPTED_OVER, computed_in
from benchmark.models import ModelCard
from benchmark.presets import Preset
from benchmark.vlm.adapters import check_tunings


def precision_of(
    config: object, device: str, card: ModelCard, *, preset: Preset | None = None
) -> str:
    """Rounded where adapters are trained over rounded weights, as a preset says where it says so;
    the miniature is evaluated in fp32 everywhere. Raises `UserError` for a tuning that does not fit
    a preset's precision."""
    trains = config.trains if isinstance(config, TrainingConfig) else {}
    usual = "fp32" if device == "cpu" or card.model_organism else "bf16"
    over = [ADAPTED_OVER[tuning] for tuning in trains.values() if tuning in ADAPTED_OVER]
    precision = over[0] if over else (preset and preset.precision) or usual
    check_tunings(trains, precision=precision)
    return precision


def precisions(
    config: object, device: str, card: ModelCard, *, preset: Preset | None
) -> dict[str, Any]:
    """What a run is asked to compute with: the precision of weights, and what flows through rounded
    ones where that is not fp32. Raises as `precision_of` does."""
    precision = precision_of(config, device, card, preset=preset)
    computed = computed_in(precision, device)
    own = computed if computed not in (precision, "fp32") else None
    return {"precision": precision, "computed_in": own}
