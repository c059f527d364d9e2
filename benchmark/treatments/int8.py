"""The merged weights served in 8 bits: the language model's layers alone, as presets load them.

LLM.int8 (Dettmers et al. 2022, arXiv:2208.07339). That rounding can bring back what was unlearned
is the finding of Zhang et al. 2024, arXiv:2410.16454. Differs from the paper: it rounds to 4 and 8
bits by round-to-nearest, AWQ and GPTQ; here by the code that `int8` presets are loaded with.
"""

from __future__ import annotations

from benchmark.treatments._rounded import Rounded


class Int8(Rounded):
    """Of 8 bits."""

    precision = "int8"


TREATMENT = Int8
