"""Durability records that are published: what is refused, what stays, and the page made of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from durability_parts import held_out, impossible, relearned

from benchmark.commands.enduring import _check_publishing
from benchmark.core import environment
from benchmark.core.durability_records import DurabilityRecord
from benchmark.core.errors import UserError
from benchmark.core.records import Git
from benchmark.core.store import Results, write_atomic
from benchmark.tables.durability.kept import NAME, published_path, read_published
from benchmark.tables.durability.published import (
    durability_files,
    durability_section,
    publish_records,
)
from benchmark.tables.pages import regenerate, stale

PUBLISHED = Path(__file__).parents[1] / "results" / "published" / NAME
CLEAN = Git(commit="c0ffee" * 6, dirty=False)
README = "before\n<!-- generated:results -->\n<!-- /generated:results -->\nafter\n"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def of_seeds(*seeds: int) -> list[DurabilityRecord]:
    """What `npo` suppressed comes back at once, in every seed to another height."""
    made = []
    for seed in seeds:
        how = {"seed": seed, "git": CLEAN}
        made += [
            relearned("original", [0.8, 0.9], [0.8, 0.8], **how),
            relearned("gold", [0.0, 0.5], [0.0, 0.0], **how),
            relearned("npo", [0.0, 0.8 + 0.1 * seed], [0.0, 0.4], **how),
            held_out("npo", "merged", 0.1 * seed, **how),
            impossible("gold", "merged", "'gold' leaves no adapter").model_copy(update=how),
        ]
    return made


def test_the_page_of_what_is_published_has_seeds_averaged(results: Results) -> None:
    paths = publish_records(of_seeds(0, 1, 2), results, replace=False)
    assert len(paths) == len(set(paths)) == 15 and all(path.is_file() for path in paths)
    files = durability_files(results)
    folder = results.leaderboard / "testbed-safety"
    stem = "durability-testbed-llava"
    assert sorted(path.name for path in files) == [
        f"{stem}.md", f"{stem}.relearn.png", f"{stem}.relearn.svg"
    ]  # fmt: skip
    page = files[folder / f"{stem}.md"]
    assert isinstance(page, str) and f"![Curves of relearning]({stem}.relearn.png)" in page
    (row, taught) = [line.split("|") for line in page.splitlines() if line.startswith("| npo")][:2]
    # 0.0, 0.1 and 0.2 merged; 0.8, 0.9 and 1.0 after a step of relearning.
    assert row[2].strip() == "3 (1 model)" and row[3].strip().startswith("10.0 [")
    assert any(cell.strip().startswith("90.0 [") for cell in row), row
    assert taught is not None and "suppressed" in page
    assert "- gold, merged: 'gold' leaves no adapter." in page


def test_table_makes_the_page_and_knows_when_it_is_stale(results: Results) -> None:
    write_atomic(results.readme, README)
    publish_records(of_seeds(0), results, replace=False)
    missing = [line for line in stale(results) if "durability-" in line]
    assert len(missing) == 3 and all(line.endswith(": missing") for line in missing)
    regenerate(results, published=True)
    assert stale(results) == []
    page = results.leaderboard / "testbed-safety" / "durability-testbed-llava.md"
    page.write_text(page.read_text().replace("suppressed", "removed"))
    assert stale(results) == [f"{page}: not what the published records make"]
    for path in results.published_records.rglob("*.json.gz"):
        path.unlink()
    assert any(f"{page}: no published records make this" in line for line in stale(results))


def test_the_readme_links_pages_only_where_there_are_any(results: Results) -> None:
    assert durability_section([], results) is None and durability_files(results) == {}
    publish_records(of_seeds(0), results, replace=False)
    said = durability_section(list(durability_files(results)), results)
    page = "leaderboard/testbed-safety/durability-testbed-llava.md"
    assert said is not None and said.endswith(f"- [testbed-safety, `testbed-llava`]({page})")


def test_the_same_again_changes_nothing_and_another_outcome_asks(results: Results) -> None:
    first = held_out("npo", "merged", 0.5, git=CLEAN)
    (path,) = publish_records([first], results, replace=False)
    before = path.read_bytes()
    later = first.model_copy(update={"ended_at": "2027-01-01"})
    assert publish_records([later], results, replace=False) == [path]
    assert path.read_bytes() == before
    other = held_out("npo", "merged", 0.25, git=CLEAN)
    with pytest.raises(UserError, match=r"ended 2026-01-01 and came to something else; --replace"):
        publish_records([later, other], results, replace=False)
    assert path.read_bytes() == before
    publish_records([other], results, replace=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "failed", "reason": "out of memory"}, "failed: out of memory"),
        ({"limit": 8}, "limited to 8 items per set"),
        ({"git": Git(commit="c0ffee", dirty=True)}, "the tree had changes"),
        ({"git": Git(commit=None, dirty=None)}, "no commit is known"),
    ],
)
def test_what_cannot_be_published_is_one_line_and_nothing_is(
    changes: dict[str, object], words: str, results: Results
) -> None:
    records = [
        held_out("rmu", "merged", 0.1, git=CLEAN),
        held_out("npo", "merged", 0.1, git=CLEAN).model_copy(update=changes),
    ]
    with pytest.raises(UserError, match=f"npo, seed 0, merged.* {words}"):
        publish_records(records, results, replace=False)
    assert not results.published_records.exists()


def test_a_column_is_one_treatment(results: Results) -> None:
    publish_records([held_out("npo", "benign", 0.5, git=CLEAN)], results, replace=False)
    longer = held_out("rmu", "benign", 0.5, git=CLEAN, settings={"steps": 99})
    words = "rmu, seed 0, benign, and npo, seed 0, benign, differ in the treatment's settings"
    with pytest.raises(UserError, match=words):
        publish_records([longer], results, replace=True)
    both = [longer, held_out("npo", "benign", 0.5, git=CLEAN, settings={"steps": 99})]
    assert len(publish_records(both, results, replace=True)) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"config": {"steps": 99}}, "the method's settings"),
        ({"method_sha256": "edited"}, "the method's source"),
        ({"source_sha256": "edited"}, "the treatment's source"),
        ({"model_sha256": "others"}, "the model's weights"),
        ({"measure": "recall"}, "what is measured"),
    ],
)
def test_seeds_of_a_row_differ_in_nothing_else(
    changes: dict[str, object], words: str, results: Results
) -> None:
    """They became one row: half of it of one method, half of another."""
    first = held_out("npo", "benign", 0.5, git=CLEAN)
    second = held_out("npo", "benign", 0.1, git=CLEAN, seed=1, **changes)
    line = f"npo, seed 1, benign, and npo, seed 0, benign, differ in {words}, and would stand on"
    with pytest.raises(UserError, match="differ in"):
        publish_records([first, second], results, replace=False)
    assert not results.published_records.exists()
    publish_records([first], results, replace=False)
    with pytest.raises(UserError, match=line) as error:
        publish_records([second], results, replace=False)
    assert "\n" not in str(error.value)


def test_what_is_another_methods_or_treatments_may_be_another(results: Results) -> None:
    records = [
        held_out("npo", "benign", 0.5, git=CLEAN),
        held_out("rmu", "benign", 0.5, git=CLEAN, config={"steps": 99}, method_sha256="r"),
        held_out("npo", "merged", 0.5, git=CLEAN, settings={"by": "hand"}, source_sha256="m"),
    ]
    assert len(publish_records(records, results, replace=False)) == 3


def test_what_is_published_is_alike_and_would_be_published_again(results: Results) -> None:
    for page in PUBLISHED.glob("*/*"):
        records = [read_published(path) for path in sorted(page.glob("*/*.json.gz"))]
        assert len(publish_records(records, results, replace=False)) == len(records) > 0


def test_a_damaged_or_misplaced_record_is_named(results: Results) -> None:
    record = held_out("npo", "merged", 0.5, git=CLEAN)
    (path,) = publish_records([record], results, replace=False)
    whole = path.read_bytes()
    for damaged in (whole[:-30], b"nothing", gzip.compress(b'{"treatment": 3}')):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"0\.merged\.json\.gz: .*take it back from git"):
            durability_files(results)
    path.write_bytes(whole)
    other = path.with_name("7.merged.json.gz")
    path.rename(other)
    with pytest.raises(UserError, match=f"it belongs to {published_path(results, record)}"):
        durability_files(results)


def test_what_could_not_be_published_is_said_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tree(*, dirty: bool) -> None:
        monkeypatch.setattr(environment, "git", lambda: Git(commit="c0ffee", dirty=dirty))

    tree(dirty=False)
    _check_publishing(True, replace=True, limit=None)
    for given, words in (
        ({"publish": False, "replace": True, "limit": None}, "--replace says what --publish"),
        ({"publish": True, "replace": False, "limit": 2}, "--limit 2 asks a part"),
    ):
        with pytest.raises(UserError, match=words):
            _check_publishing(given["publish"], replace=given["replace"], limit=given["limit"])
    monkeypatch.setattr(environment, "git", lambda: Git(commit=None, dirty=None))
    with pytest.raises(UserError, match="no commit is known here"):
        _check_publishing(True, replace=False, limit=None)
    tree(dirty=True)
    with pytest.raises(UserError, match="commit them first"):
        _check_publishing(True, replace=False, limit=None)
    _check_publishing(False, replace=False, limit=None)
