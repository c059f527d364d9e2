"""Which families of models there are, and what can be done with each: a section of the README."""

from __future__ import annotations

from benchmark.core import registry
from benchmark.models import load_card
from benchmark.models.capabilities import capabilities
from benchmark.models.shape import FAMILIES
from benchmark.tables.cells import MISSING, markdown_table


def families_section() -> str:
    """A row for each family, with the cards of its checkpoints."""
    cards: dict[str, list[str]] = {}
    for name in registry.names("model"):
        card = load_card(name)
        if card.family is not None and not card.model_organism:
            cards.setdefault(card.family, []).append(f"`{name}`")
    rows = [
        [f"`{family}`", ", ".join(cards.get(family, [])) or MISSING, *capabilities(family).values()]
        for family in FAMILIES
    ]
    header = ["family", "cards", *capabilities(FAMILIES[0])]
    return (
        "## Families\n\n"
        "Known by the `model_type` of a checkpoint's config.json. Each is built in tests at a tiny "
        "size from its own configuration, with random weights, and held to this table: its logits "
        "and greedy answers in a padded batch are those that transformers gives to each request "
        "alone, and its operations in training those that torch counts. Nothing here was run with "
        "the checkpoints themselves.\n\n"
        f"{markdown_table(header, rows)}"
    )
