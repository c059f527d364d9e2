"""The parts of a vision-language model, and the ways of training one."""

from typing import Literal

Role = Literal["vision", "projector", "language"]
SEEING: tuple[Role, ...] = ("vision", "projector")
"""What the features of an image come from."""
Tuning = Literal["lora", "qlora", "full"]
