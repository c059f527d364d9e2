"""The parts of a vision-language model, and the ways of training one."""

from typing import Literal

Role = Literal["vision", "projector", "language"]
Tuning = Literal["lora", "qlora", "full"]
