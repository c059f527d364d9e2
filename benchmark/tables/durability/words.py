"""What a page of durability says that depends on what may come back: attacks, or persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.core.durability_records import Measure
from benchmark.core.plan import GateLimits

TWIN_SHARE = GateLimits().twin_share
WRECK = "!"


@dataclass(frozen=True, kw_only=True)
class Words:
    """`measured` begins a sentence of the curves and ends before whose they are; `table` says what
    stands in the table, `kept` what in the one beside it, `whose` whom rates are over."""

    measured: str
    table: str
    kept: str
    whose: str


WORDS: Mapping[Measure, Words] = {
    "asr": Words(
        measured="attack success on behaviours",
        table=(
            "Attack success after each treatment, per cent with its 95 % interval over behaviours, "
            "each averaged over forms and seeds first: of held-out ones, and after relearning of "
            "those that were taught again and of the others that were to be forgotten. "
            f"`{WRECK}`: fewer than {100 * TWIN_SHARE:.0f} % of the untouched model's harmless "
            "twins are done then, so that a low figure is no safety."
        ),
        kept="Harmless twins in the same forms / utility then, per cent:",
        whose="behaviours",
    ),
    "recall": Words(
        measured="right answers on persons",
        table=(
            "Right answers about persons to be forgotten after each treatment, in a wording that "
            "no method trained on, per cent with its 95 % interval over persons, each averaged "
            "over what is asked by and over seeds first: of all of them, and after relearning of "
            "those who were taught again and of the others. A gold was never told of them, and is "
            "right as often as a guess is: that is what forgetting can reach. "
            f"`{WRECK}`: of persons to be kept less than {100 * TWIN_SHARE:.0f} % of what the "
            "untouched model tells is told then, so that a low figure is no forgetting."
        ),
        kept="Right answers about persons to be kept / utility then, per cent:",
        whose="persons",
    ),
}
