"""The parts of a vision-language model, the ways of training one, and what it is trained on."""

from typing import Literal

PoolRole = Literal["forget", "keep", "captioned"]
"""What training data are for: to be forgotten, to be kept, or images with their descriptions."""
PoolModality = Literal["text", "image", "both"]
Role = Literal["vision", "projector", "language"]
SEEING: tuple[Role, ...] = ("vision", "projector")
"""What the features of an image come from."""
Tuning = Literal["lora", "qlora", "full"]
Start = Literal["target", "before_vision"]
"""Which checkpoint a method starts from: the target itself, or the one that it was made of before
it learnt to look at pictures (safe in text, under a fresh projector)."""
