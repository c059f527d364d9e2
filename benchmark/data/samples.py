"""Rows of a card's table become `Sample`s, checked one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from benchmark.core.errors import UserError
from benchmark.core.samples import Answers, Purpose, Sample, Scope
from benchmark.core.store import digest
from benchmark.data.cards import Card
from benchmark.data.images import ImageStore
from benchmark.data.sources import jsonlines, testbed
from benchmark.data.sources.delimited import rows as csv_rows
from benchmark.data.sources.row import Row

if TYPE_CHECKING:
    from pydantic import JsonValue


def load(
    card: Card,
    split: str,
    *,
    images: ImageStore,
    purpose: Purpose = "training",
    scope: Scope | None = None,
    limit: int | None = None,
) -> list[Sample]:
    """The samples of a split in the order of its table; `limit` takes the first ones.

    Raises `UserError` with the card, file and row for a missing column, an unreadable image, a
    repeated key, a wrong checksum, or another number of rows than the card expects.
    """
    expected = card.split(split).expected
    if card.source.kind == "testbed":
        made = testbed.samples(card, split, images=images)
        _check_count(card, split, n_found=len(made), expected=expected)
    else:
        rows = jsonlines.rows(card, split) if card.source.kind == "jsonl" else csv_rows(card, split)
        _check_count(card, split, n_found=len(rows), expected=expected)
        made = [_sample(card, split, row) for row in rows[:limit]]
    _check_keys(card, split, made)
    return [replace(sample, purpose=purpose, scope=scope) for sample in made[:limit]]


def _check_count(card: Card, split: str, *, n_found: int, expected: int | None) -> None:
    if expected is not None and n_found != expected:
        raise UserError(
            f"card '{card.name}', split '{split}': {n_found} rows where {expected} are expected"
        )


def _check_keys(card: Card, split: str, made: list[Sample]) -> None:
    counts = Counter(sample.id for sample in made)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        key = twice[0].rpartition("/")[2]
        raise UserError(f"card '{card.name}', split '{split}': key '{key}' is there twice")


def fingerprint(samples: list[Sample]) -> str:
    """SHA-256 of what the samples say; where their images lie does not count."""
    return digest([_content(sample) for sample in samples])


def _content(sample: Sample) -> JsonValue:
    # `asdict` copies deeply, and this is asked of every sample several times a run.
    content = vars(sample) | {
        "answers": vars(sample.answers),
        "images": [image.sha256 for image in sample.images],
    }
    return cast("JsonValue", content)


def _sample(card: Card, split: str, row: Row) -> Sample:
    key = row.text("key") or str(row.number)
    prompt = row.text("prompt")
    if prompt is None:
        raise UserError(f"{row.where}: the prompt is empty")
    image = row.image()
    return Sample(
        id=f"{card.name}/{split}/{key}",
        behaviour=row.text("behaviour") or f"{card.name}/{key}",
        card=card.name,
        purpose="training",
        prompt=prompt,
        subject=row.text("subject") or prompt,
        images=(image,) if image else (),
        answers=Answers(
            bad=row.text("bad"),
            good=row.text("good"),
            references=row.texts("answer"),
            paraphrases=row.texts("paraphrases"),
            perturbed=row.texts("perturbed"),
        ),
        caption=row.text("caption"),
        retrieved=row.text("retrieved"),
        category=row.text("category"),
    )
