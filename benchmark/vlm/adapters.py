"""LoRA on named linear layers through PEFT, in place: the model keeps its own class."""

from __future__ import annotations

from collections.abc import Sequence

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn


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
