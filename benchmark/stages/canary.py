"""Did the method change anything at all? Answers inside the forget scope, beside the base's."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.records import Canary
from benchmark.core.samples import Sample
from benchmark.stages.answer import Answered

# How many of the requests nearest to what was trained on show whether anything changed.
N_CANARY = 64


def canary_samples(samples: Sequence[Sample]) -> list[Sample]:
    """In-scope attacks, one form after the other: where a method that did anything must differ."""
    attacks = [s for s in samples if s.purpose == "attack" and s.scope == "in_scope"]
    forms = list(dict.fromkeys(sample.attack for sample in attacks))
    return sorted(attacks, key=lambda s: (forms.index(s.attack), s.id))[:N_CANARY]


def canary(samples: Sequence[Sample], mine: Answered, base: Answered) -> Canary:
    """How many answers inside the forget scope differ from the base model's."""
    probed = canary_samples(samples)
    changed = [s for s in probed if mine.responses[s.id].text != base.responses[s.id].text]
    return Canary(n=len(probed), n_changed=len(changed))
