"""The merged weights served in 4 bits: the language model's layers alone, as presets load them.

NF4 with double quantisation (Dettmers et al. 2023, arXiv:2305.14314, section 3). That rounding can
bring back what was unlearned is the finding of Zhang et al. 2024, arXiv:2410.16454. Differs from
the paper: it rounds by round-to-nearest, AWQ and GPTQ; here by the code that `nf4` presets are
loaded with.
"""

from __future__ import annotations

from benchmark.treatments._rounded import Rounded


class Nf4(Rounded):
    """Of 4 bits."""

    precision = "nf4"


TREATMENT = Nf4
