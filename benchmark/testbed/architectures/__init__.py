"""The architectures that the miniature world is learnt by: one recipe, one world for all."""

from benchmark.testbed.architectures.architecture import N_IMAGE_TOKENS, Architecture
from benchmark.testbed.architectures.llava import Llava
from benchmark.testbed.architectures.qwen import Qwen

LLAVA = Llava()
QWEN = Qwen()
ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in (LLAVA, QWEN)}

__all__ = ["ARCHITECTURES", "LLAVA", "N_IMAGE_TOKENS", "QWEN", "Architecture"]
