"""The parts of a vision-language model, the ways of training one, and what it is trained on."""

from collections.abc import Mapping
from typing import Literal

PoolRole = Literal["forget", "keep", "captioned"]
"""What training data are for: to be forgotten, to be kept, or images with their descriptions."""
PoolModality = Literal["text", "image", "both"]
Role = Literal["vision", "projector", "language"]
SEEING: tuple[Role, ...] = ("vision", "projector")
"""What the features of an image come from."""
Precision = Literal["fp32", "bf16", "fp16", "int8", "nf4"]
"""Of weights: the last two of the language model's layers alone."""
Tuning = Literal["lora", "lora_int8", "qlora", "full"]
ADAPTED_OVER: Mapping[Tuning, Precision] = {"lora_int8": "int8", "qlora": "nf4"}
"""Adapters over rounded weights: each is a tuning of its own, from which the precision follows."""
Start = Literal["target", "before_vision"]
"""Which checkpoint a method starts from: the target itself, or the one that it was made of before
it learnt to look at pictures (safe in text, under a fresh projector)."""


def computed_in(precision: str, device: str) -> str:
    """What flows through a model of this precision, and the weights in it that are not rounded:
    over rounded ones bf16, as QLoRA computes (Dettmers et al. 2023, arXiv:2305.14314, section 3);
    fp32 on a CPU, where bf16 is slow."""
    if precision not in ADAPTED_OVER.values():
        return precision
    return "fp32" if device == "cpu" else "bf16"
