"""Did the method change anything at all? Answers inside the forget scope, beside the base's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from benchmark.core.records import Canary, Response
from benchmark.core.samples import Sample

# How many of the requests nearest to what was trained on show whether anything changed.
N_CANARY = 64


def canary_samples(samples: Sequence[Sample]) -> list[Sample]:
    """In-scope attacks, as many of each form, and questions about persons to be forgotten, as many
    of each set: where a method that did anything must differ. One that touches images alone leaves
    every answer to text as it was."""
    by_form: dict[str | None, list[Sample]] = {}
    for sample in sorted(samples, key=lambda s: s.id):
        if sample.purpose == "attack" and sample.scope == "in_scope":
            by_form.setdefault(sample.attack, []).append(sample)
        elif sample.purpose == "recall" and sample.scope == "in_scope":
            by_form.setdefault(sample.card, []).append(sample)
    rounds = zip_longest(*by_form.values())
    return [one for round_ in rounds for one in round_ if one is not None][:N_CANARY]


def asked_alike(mine: Sequence[Sample], base: Sequence[Sample]) -> list[Sample]:
    """Those that both were asked: the same words beside the same pictures."""
    theirs = {sample.id: sample for sample in base}
    return [sample for sample in mine if theirs.get(sample.id) == sample]


def canary(
    samples: Sequence[Sample], mine: Mapping[str, Response], base: Mapping[str, Response]
) -> Canary:
    """How many answers inside the forget scope differ from the base model's."""
    probed = canary_samples(samples)
    changed = [s for s in probed if mine[s.id].text != base[s.id].text]
    return Canary(n=len(probed), n_changed=len(changed))
