"""Rows of a card's table become `Sample`s, checked one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark.core.errors import UserError
from benchmark.core.samples import Answers, Purpose, Sample, Scope
from benchmark.core.store import REPOSITORY, digest, digest_file, digest_folder
from benchmark.data import cache as tables
from benchmark.data.cards import Card
from benchmark.data.images import ImageStore
from benchmark.data.reading import check_count, rows
from benchmark.data.sources import digest_of, testbed
from benchmark.data.sources.row import Row, SpoiltPicture

if TYPE_CHECKING:
    from pydantic import JsonValue

# Of a sample and its answers, left out of digests where there is none: they came after the first
# records.
_LATER = ("target",)
_LATER_OF_SAMPLE = ("max_new_tokens",)


def load(
    card: Card,
    split: str,
    *,
    images: ImageStore,
    purpose: Purpose = "training",
    scope: Scope | None = None,
    limit: int | None = None,
) -> list[Sample]:
    """The samples of a split in the order of its table; `limit` takes the first ones, and of the
    miniature world hardly any others are drawn, and none compared or counted.

    Raises `UserError` with the card, file and row for a missing column, an unreadable image, a
    repeated key, a wrong checksum, or another number of rows than the card expects.
    """
    if card.source.kind == "testbed":
        made = testbed.samples(card, split, images=images, limit=limit)
        if limit is None or len(made) < limit:
            check_count(card, split, n_found=len(made))
        _check_keys(card, split, made)
        found: Iterable[Sample] = made
    else:
        found = stream(card, split, images=images)
    taken = islice(found, limit)
    return [replace(sample, purpose=purpose, scope=scope) for sample in taken]


def stream(
    card: Card, split: str, *, images: ImageStore, told: Callable[[int], None] | None = None
) -> Iterator[Sample]:
    """The same one after the other, of a set that is not of the miniature world; some thousand are
    in memory at a time. Parsed once, then read from a table (`benchmark/data/cache.py`). `told`
    hears how many rows are parsed, now and then."""
    path = table_of(card, split, images=images)
    if not tables.is_fresh(path):
        parsed = parse(card, split, images=images)
        tables.write(path, parsed if told is None else _telling(parsed, told))
    return tables.read(path)


def _telling(samples: Iterable[Sample], told: Callable[[int], None]) -> Iterator[Sample]:
    for number, sample in enumerate(samples):
        if number % tables.ROWS_TOGETHER == 0:
            told(number)
        yield sample


def parse(
    card: Card,
    split: str,
    *,
    images: ImageStore,
    spoilt: Callable[[SpoiltPicture], None] | None = None,
) -> Iterator[Sample]:
    """The samples as the set's own files hold them. Raises as `load` does; with `spoilt`, which is
    told of it, a row whose picture cannot be used is left out."""
    seen: set[bytes] = set()
    for row in rows(card, split, images=images):
        try:
            sample = _sample(card, split, row)
        except SpoiltPicture as error:
            if spoilt is None:
                raise
            spoilt(error)
            continue
        name = hashlib.blake2b(sample.id.encode(), digest_size=12).digest()
        if name in seen:
            _twice(card, split, sample.id)
        seen.add(name)
        yield sample


def table_of(card: Card, split: str, *, images: ImageStore) -> Path:
    """Where the parsed split lies: by its card, its bytes, and the code that reads them."""
    made_of = [digest_file(card.path), split, digest_of(card, split), str(card.folder), _code()]
    return images.folder / "tables" / f"{card.name}-{split}-{digest([*made_of])[:16]}.parquet"


@cache
def _code() -> str:
    return digest_folder(REPOSITORY / "benchmark/data", pattern="*.py")


def _check_keys(card: Card, split: str, made: list[Sample]) -> None:
    seen: set[str] = set()
    for sample in made:
        if sample.id in seen:
            _twice(card, split, sample.id)
        seen.add(sample.id)


def _twice(card: Card, split: str, name: str) -> None:
    key = name.removeprefix(f"{card.name}/{split}/")
    raise UserError(f"card '{card.name}', split '{split}': key '{key}' is there twice")


def fingerprint(samples: list[Sample]) -> str:
    """SHA-256 of what the samples say; where their images lie does not count."""
    return digest([_content(sample) for sample in samples])


def _content(sample: Sample) -> JsonValue:
    # `asdict` copies deeply, and this is asked of every sample several times a run.
    answers = vars(sample.answers)
    said = {n: v for n, v in vars(sample).items() if v is not None or n not in _LATER_OF_SAMPLE}
    content = said | {
        "answers": {n: v for n, v in answers.items() if v is not None or n not in _LATER},
        "images": [image.sha256 for image in sample.images],
    }
    return cast("JsonValue", content)


def behaviour_name(behaviour: str | None) -> str | None:
    """A behaviour's name, which is published. Where a set knows one by its request alone, it is a
    digest: the same request is the same behaviour, and no word of it goes anywhere."""
    if behaviour is None or not any(letter.isspace() for letter in behaviour):
        return behaviour
    said = " ".join(behaviour.casefold().split())
    return f"sha256-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _sample(card: Card, split: str, row: Row) -> Sample:
    key = row.text("key") or str(row.number)
    prompt = row.text("prompt")
    if prompt is None:
        raise UserError(f"{row.where}: the prompt is empty")
    name = f"{card.name}/{split}/{key}"
    return Sample(
        id=name,
        # Without one each row is its own: row 0 of one split is not row 0 of another.
        behaviour=behaviour_name(row.text("behaviour")) or name,
        card=card.name,
        purpose="training",
        prompt=prompt,
        subject=row.text("subject") or prompt,
        images=row.pictures(),
        answers=Answers(
            bad=row.text("bad"),
            good=row.text("good"),
            references=row.texts("answer"),
            paraphrases=row.texts("paraphrases"),
            perturbed=row.texts("perturbed"),
            target=row.text("target"),
        ),
        caption=row.text("caption"),
        retrieved=row.text("retrieved"),
        category=row.text("category"),
    )
