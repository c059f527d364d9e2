"""What `list datasets` says of a card: what it is for, how large, on which terms, and if it is
here; or why the card is broken."""

from __future__ import annotations

from dataclasses import replace

from benchmark.core.entries import Entry
from benchmark.core.errors import UserError
from benchmark.data.cards import Card, load_card
from benchmark.data.presence import presence

UNKNOWN = "-"


def with_card(entry: Entry) -> Entry:
    """The entry of a data set with what its card says; one that cannot be read is its problem."""
    if entry.problem:
        return entry
    try:
        card = load_card(entry.name)
    except UserError as error:
        return replace(entry, problem=str(error))
    there = presence(card)
    facts = {
        "roles": ",".join(card.roles),
        "n": n_rows(card),
        "licence": card.licence,
        "gated": "yes" if card.gated else "no",
        "verified": "yes" if card.verified or not card.natural else "no",
        "present": "yes" if there.is_here else there.state,
    }
    return replace(entry, facts=facts)


def n_rows(card: Card) -> str:
    """How many rows its files must have, each counted once whatever splits read it; a dash where
    the card does not say it of all."""
    by_source = {}
    for name in card.splits:
        split = card.split(name)
        place = split.file if card.source.kind not in ("hub", "testbed") else split.of
        by_source[place, split.configs] = split.expected
    known = [expected for expected in by_source.values() if expected is not None]
    return f"{sum(known)}" if len(known) == len(by_source) else UNKNOWN
