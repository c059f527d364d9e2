"""Cards and their rows: what is wrong is one line with the card, the file and the row."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from benchmark.core import registry
from benchmark.core.errors import MissingError, UserError
from benchmark.core.store import REPOSITORY, digest_file
from benchmark.data import samples
from benchmark.data.card_sources import Archive, FileSource, HubSource, TestbedSource, WebSource
from benchmark.data.cards import Blocks, Card, Column, Join, Split, load_card
from benchmark.data.examining import broken_images
from benchmark.data.images import ImageStore

ROWS = [
    {"q": "what is it?", "a": ["a cat", "cat"], "img": "cat.png", "n": 7},
    {"q": "and this?", "a": "a dog", "img": None, "n": 8},
]
CARD = """
name: pets
title: Questions about pets
roles: [utility]
licence: CC0-1.0
source: {kind: jsonl}
columns: {prompt: q, answer: a, image: img, key: n}
splits:
  test: {file: pets.jsonl, expected: 2}
metric: contains
"""


@pytest.fixture
def images(tmp_path) -> ImageStore:
    return ImageStore(tmp_path / "images")


@pytest.fixture
def pets(tmp_path) -> Path:
    """A card with a file of two rows and one picture."""
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(tmp_path / "cat.png")
    (tmp_path / "pets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "pets.yaml").write_text(CARD)
    return tmp_path / "pets.yaml"


def _edit(card: Path, old: str, new: str) -> None:
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new))


def _error(card: Path, images: ImageStore, split: str = "test") -> str:
    with pytest.raises(UserError) as caught:
        samples.load(load_card(str(card)), split, images=images)
    return str(caught.value)


def test_rows_become_samples(pets, images):
    cat, dog = samples.load(load_card(str(pets)), "test", images=images, purpose="utility")
    assert cat.id == "pets/test/7"
    assert cat.behaviour == "pets/test/7"
    assert cat.prompt == cat.subject == "what is it?"
    assert cat.answers.references == ("a cat", "cat")
    assert cat.images[0].path == pets.parent / "cat.png"
    assert cat.images[0].sha256 == digest_file(pets.parent / "cat.png")
    assert cat.modality == "image"
    assert dog.answers.references == ("a dog",)
    assert dog.modality == "text"
    assert {cat.purpose, dog.purpose} == {"utility"}


def test_a_limit_takes_the_first_rows_and_leaves_the_count_check(pets, images):
    card = load_card(str(pets))
    assert [s.id for s in samples.load(card, "test", images=images, limit=1)] == ["pets/test/7"]
    (pets.parent / "pets.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    with pytest.raises(UserError, match="1 rows where 2 are expected"):
        samples.load(card, "test", images=images, limit=1)


def test_csv_reads_the_same(pets, images):
    lines = 'n,q,a,img\n7,what is it?,a cat,cat.png\n8,"and, this?",a dog,\n'
    (pets.parent / "pets.csv").write_text(lines)
    _edit(pets, "kind: jsonl", "kind: csv")
    _edit(pets, "pets.jsonl", "pets.csv")
    cat, dog = samples.load(load_card(str(pets)), "test", images=images)
    assert (cat.id, cat.modality) == ("pets/test/7", "image")
    assert (dog.id, dog.prompt, dog.modality) == ("pets/test/8", "and, this?", "text")


def test_the_fingerprint_is_of_content_not_of_place(pets, images):
    first = samples.load(load_card(str(pets)), "test", images=images)
    moved = [
        replace(s, images=tuple(replace(image, path=Path("/elsewhere")) for image in s.images))
        for s in first
    ]
    assert moved != first
    assert samples.fingerprint(first) == samples.fingerprint(moved)
    assert samples.fingerprint(first) != samples.fingerprint(first[::-1])


def test_a_missing_column_is_named_with_its_nearest(pets, images):
    _edit(pets, "prompt: q", "prompt: question")
    (pets.parent / "pets.jsonl").write_text(
        '{"questions": "x", "a": "b", "img": null, "n": 1}\n' * 2
    )
    assert _error(pets, images) == (
        f"{pets.parent}/pets.jsonl:1: card 'pets' reads its prompt from a column 'question' that "
        "is not there, did you mean 'questions'?"
    )


def test_a_missing_csv_column_is_named(pets, images):
    (pets.parent / "pets.csv").write_text("n,a,img\n7,a cat,cat.png\n")
    _edit(pets, "kind: jsonl", "kind: csv")
    _edit(pets, "pets.jsonl", "pets.csv")
    assert "reads its prompt from a column 'q' that is not there" in _error(pets, images)


def test_a_csv_row_of_another_length_is_named(pets, images):
    (pets.parent / "pets.csv").write_text("n,q,a,img\n7,what,a cat,cat.png,more\n")
    _edit(pets, "kind: jsonl", "kind: csv")
    _edit(pets, "pets.jsonl", "pets.csv")
    assert _error(pets, images) == f"{pets.parent}/pets.csv:2: 5 values under 4 columns"


def test_a_truncated_image_is_found_by_decoding_it(pets, images):
    path = pets.parent / "cat.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    found = samples.load(load_card(str(pets)), "test", images=images)
    ((sample, problem),) = broken_images(found)
    assert sample.id == "pets/test/7"
    assert str(problem).startswith(f"image {path} cannot be read: ")


def test_a_picture_that_was_mended_is_read_anew(pets, images):
    path = pets.parent / "cat.png"
    before, _ = samples.load(load_card(str(pets)), "test", images=images)
    Image.fromarray(np.full((9, 9, 3), 100, np.uint8)).save(path)
    after, _ = samples.load(load_card(str(pets)), "test", images=images)
    assert before.images[0].sha256 != after.images[0].sha256 == digest_file(path)


def test_a_file_that_is_no_image_is_named(pets, images):
    (pets.parent / "cat.png").write_text("not a picture")
    assert "cat.png cannot be read: cannot identify image file" in _error(pets, images)


def test_a_missing_image_or_file_is_missing(pets, images):
    (pets.parent / "cat.png").unlink()
    with pytest.raises(MissingError, match=r"pets.jsonl:1: image .*cat.png is missing"):
        samples.load(load_card(str(pets)), "test", images=images)
    (pets.parent / "pets.jsonl").unlink()
    with pytest.raises(MissingError, match=r"card 'pets', split 'test': .*pets.jsonl is missing"):
        samples.load(load_card(str(pets)), "test", images=images)


def test_a_wrong_checksum_is_named(pets, images):
    expected = hashlib.sha256(b"").hexdigest()
    _edit(pets, "expected: 2", f"expected: 2, sha256: {expected}")
    found = digest_file(pets.parent / "pets.jsonl")
    assert _error(pets, images) == (
        f"card 'pets', split 'test': {pets.parent}/pets.jsonl has SHA-256 {found}, not {expected}; "
        "get it again or correct the card"
    )


def test_a_repeated_key_is_named(pets, images):
    (pets.parent / "pets.jsonl").write_text((json.dumps(ROWS[1]) + "\n") * 2)
    assert _error(pets, images) == "card 'pets', split 'test': key '8' is there twice"


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "not JSON: "), ("[1]", "expected a JSON object"), ('{"q": ', "not JSON: ")],
)
def test_a_bad_line_is_named(pets, images, line, message):
    (pets.parent / "pets.jsonl").write_text(json.dumps(ROWS[0]) + "\n" + line + "\n")
    assert _error(pets, images).startswith(f"{pets.parent}/pets.jsonl:2: {message}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "title: missing; titel: unknown field, did you mean 'title'?"),
        ("name: pets", "name: dogs", "name is 'dogs' but the file is called 'pets'"),
        ("prompt: q, ", "", "columns.prompt: missing; name the column that holds the prompt"),
        ("file: pets.jsonl, ", "", "splits.test.file: missing; name its jsonl"),
        ("metric: contains", "", "metric: missing; a card with the role 'utility' needs one"),
        ("metric: contains", "metric: rouge", "metric = \"rouge\": should be 'recipe', 'exact', "),
        ("title:", "name: x\ntitle:", "{path}:3: key 'name' again (first on line 2)"),
        (
            "columns: {",
            "shape: {kind: labelled_answers, answers: [a, q], safe: [n]}\ncolumns: {",
            "safe: name one mark for each of the answers",
        ),
        ("expected: 2", "expected: two", 'splits.test.expected = "two": should be a valid integer'),
    ],
)
def test_a_bad_card_is_one_line(pets, old, new, message):
    _edit(pets, old, new)
    with pytest.raises(UserError) as caught:
        load_card(str(pets))
    assert message.format(path=pets) in str(caught.value)
    assert str(pets) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_split_shows_the_nearest(pets, images):
    assert _error(pets, images, "tst") == (
        "unknown split of card 'pets' 'tst': did you mean 'test'?"
    )


ALLOWED = {"MIT", "Apache-2.0", "CC-BY-4.0"}
RESEARCH = {
    "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "research only", "research only, no redistribution",
}  # fmt: skip


def test_what_may_be_trained_on_follows_from_the_licence():
    for card in map(load_card, registry.entries("dataset")):
        allowed = "allowed" if card.licence in ALLOWED else "unknown"
        expected = "research" if card.licence in RESEARCH else allowed
        assert card.training == expected or not card.natural, card.name


def test_the_readme_of_cards_names_every_field_and_its_own_set_loads(tmp_path, images):
    text = (REPOSITORY / "datasets/README.md").read_text()
    described = [
        Card,
        Split,
        HubSource,
        WebSource,
        FileSource,
        TestbedSource,
        Archive,
        Join,
        Blocks,
    ]
    fields = {name for model in described for name in model.model_fields} | {*get_args(Column)}
    quoted = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    words = set(re.findall(r"[a-z0-9_]+", " ".join(quoted)))
    assert fields <= words, f"not described: {sorted(fields - words)}"
    own = text.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "pets.yaml").write_text(own)
    (tmp_path / "pets.jsonl").write_text('{"question": "who?", "picture": null}\n')
    (found,) = samples.load(load_card(str(tmp_path / "pets.yaml")), "test", images=images)
    assert found.prompt == "who?"
