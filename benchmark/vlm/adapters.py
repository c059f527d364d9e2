"""LoRA on named linear layers through PEFT, in place: the model keeps its own class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from benchmark.core.errors import UserError
from benchmark.core.roles import ADAPTED_OVER, Role, Tuning


def check_tunings(trains: Mapping[Role, Tuning], *, precision: str) -> None:
    """Raise `UserError` for a tuning that is not for weights of this precision."""
    over = {needed: tuning for tuning, needed in ADAPTED_OVER.items()}
    for role, tuning in trains.items():
        needed = ADAPTED_OVER.get(tuning)
        if needed not in (None, precision):
            problem = f"{tuning} needs {needed}"
        elif needed is None and precision in over:
            problem = f"over {precision} weights only {over[precision]} is trained"
        else:
            continue
        raise UserError(f"trains.{role} = {tuning} does not fit precision {precision}: {problem}")


def attach_lora(
    hf: nn.Module, targets: Sequence[str], *, rank: int, alpha: float, dropout: float
) -> PeftModel:
    """Wrap the named linear layers; B starts at zero, so nothing changes before the first step."""
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # PEFT takes fractions, its annotation not
        lora_dropout=dropout,
        bias="none",
        target_modules=list(targets),
    )
    return get_peft_model(hf, config)
