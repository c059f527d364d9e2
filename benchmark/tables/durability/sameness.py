"""What durability records must have in common to stand on one page: rows differ in their method,
columns in their treatment, and what is averaged in the seed alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmark.core.durability_records import DurabilityRecord

Told = Callable[[DurabilityRecord], object]

OF_PAGE: Mapping[str, Told] = {
    "the model's weights": lambda record: record.model_sha256,
    "what is measured": lambda record: record.measure,
}
OF_COLUMN: Mapping[str, Told] = {
    "the treatment's settings": lambda record: record.settings,
    "the treatment's source": lambda record: record.source_sha256,
    "forms": lambda record: record.forms,
    "judges": lambda record: record.judges,
}
OF_ROW: Mapping[str, Told] = {
    "the method's settings": lambda record: record.config,
    "the method's source": lambda record: record.method_sha256,
}


def unlike(record: DurabilityRecord, other: DurabilityRecord) -> list[str]:
    """In what two records differ that may not, in words; empty where both may be on a page."""
    if (record.suite, record.model) != (other.suite, other.model):
        return []
    shared = dict(OF_PAGE)
    if record.treatment == other.treatment:
        shared |= OF_COLUMN
    if record.method == other.method:
        shared |= OF_ROW
    return [name for name, told in shared.items() if told(record) != told(other)]


def told_by(record: DurabilityRecord) -> list[object]:
    """All of it, of one record."""
    return [told(record) for shared in (OF_PAGE, OF_COLUMN, OF_ROW) for told in shared.values()]
