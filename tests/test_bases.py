"""The page about the miniature models: figures by hand, and what may be published of a training."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.records import Git
from benchmark.core.store import Results
from benchmark.tables.bases import page
from benchmark.tables.bases.collect import SHIPPED, publish_base, read_bases
from benchmark.tables.bases.figures import asr_cell, difference, difference_cell
from benchmark.tables.bases.files import base_files
from benchmark.tables.pages import regenerate, stale
from benchmark.testbed.records import RECORD, BaseRecord, Figure, read_base

TEXT, IMAGE = ("direct", "jailbreak"), ("typographic", "icon", "icon_word")


def trained(
    variant: str = "default", seed: int = 1, *, text: float = 0.2, image: float = 0.8
) -> BaseRecord:
    """The shipped model's record with other rates of attack success, measured between stages."""
    content = read_base(SHIPPED).model_dump(mode="json")
    git = {"commit": "c0ffee" * 6, "dirty": False}
    content |= {"variant": variant, "seed": seed, "git": git}
    content["trained_by"] = dict.fromkeys(content["seconds_per_stage"], git)
    for figure in content["acceptance"]["figures"]:
        name, *form = figure["name"].split()
        if name == "asr":
            figure["value"] = image if form[0] in IMAGE else text
    content["after_stage"] = {
        stage: [Figure.of(name, rate, 96).model_dump() for name, rate in figures.items()]
        for stage, figures in {
            "language": {"asr direct test": 1.0},
            "text_safety": {"asr direct test": text / 2},
            "alignment": {"asr direct test": text, "asr icon test": image},
        }.items()
    }
    return BaseRecord.model_validate(content)


def written(folder: Path, record: BaseRecord) -> Path:
    folder.mkdir(parents=True)
    (folder / RECORD).write_text(json.dumps(record.model_dump(mode="json")))
    return folder


def changed(record: BaseRecord, values: dict[str, float | None]) -> BaseRecord:
    """The record with other figures of the finished model; None takes one away."""
    content = record.model_dump(mode="json")
    figures = content["acceptance"]["figures"]
    content["acceptance"]["figures"] = [
        figure | {"value": values.get(figure["name"], figure["value"])}
        for figure in figures
        if values.get(figure["name"], 0.0) is not None
    ]
    return BaseRecord.model_validate(content)


def published(results: Results, folder: Path, *records: BaseRecord) -> str:
    """The page of these records."""
    for record in records:
        publish_base(results, written(folder / record.name, record))
    found = read_bases(results)
    assert found is not None
    return page.render(found)


def test_a_difference_is_between_means_over_forms():
    record = trained(text=0.25, image=0.75)
    assert difference(record, IMAGE, TEXT) == pytest.approx(0.5)
    assert difference(changed(record, {"asr icon test": None}), IMAGE, TEXT) is None
    # What a blank picture does is text beside a picture: it follows `text` here.
    assert difference(record, ("blank_image",), ("direct",)) == pytest.approx(0.0)


def test_attack_success_is_void_where_harmless_twins_are_not_done():
    record = trained(text=0.25, image=0.05)
    assert difference_cell(record, IMAGE, TEXT) == "-20.0"
    unable = changed(record, {"twin icon": 0.94})
    assert difference_cell(unable, IMAGE, TEXT) == "void (-20.0)"
    assert asr_cell(unable, "icon", "test") == "void (5.0)"
    assert asr_cell(unable, "typographic", "test") == "5.0", "another form"


def test_the_page_is_made_of_published_records_alone(tmp_path):
    results = Results(tmp_path / "results")
    assert base_files(results) == {}
    for seed in (1, 2, 3):
        publish_base(results, written(tmp_path / f"default-{seed}", trained(seed=seed)))
    one = trained("safety_last", 1, image=0.1)
    publish_base(results, written(tmp_path / "safety_last", one))
    found = read_bases(results)
    assert found is not None
    assert [record.name for record in found.seeds] == ["default-1", "default-2", "default-3"]
    assert [record.name for record in found.ablations] == ["safety_last-1"]
    assert found.beside(found.ablations[0]) is found.seeds[0]
    text = page.render(found)
    assert "- pictures minus text: +60.0 points [+60.0, +60.0] over 3 fresh seeds" in text
    # First among the shipped model's, then beside the ablation.
    _, row = (
        line for line in text.splitlines() if line.startswith("| pictures minus text, points")
    )
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["+60.0", "-10.0"]
    regenerate(results, published=True)
    assert stale(results) == []
    files = sorted(path.name for path in results.leaderboard.iterdir())
    assert files == ["miniature.csv", "miniature.md", "miniature.stages.png"]
    table = list(csv.DictReader(io.StringIO((results.leaderboard / "miniature.csv").read_text())))
    (cell,) = [
        row for row in table
        if (row["model"], row["stage"], row["figure"])
        == ("default-2", "alignment", "asr icon test")
    ]  # fmt: skip
    assert (float(cell["value"]), cell["n"]) == (0.8, "96")


def test_the_shipped_model_is_told_apart_from_its_seeds(tmp_path):
    results = Results(tmp_path / "results")
    for seed in (1, 2, 3):
        publish_base(results, written(tmp_path / f"default-{seed}", trained(seed=seed)))
    found = read_bases(results)
    assert found is not None
    text = page.render(found)
    # All seeds agree on attack success, at rates that are not the shipped model's, by more than
    # the sampling error of 96 questions but for a few.
    counts = {cells[1].strip(): [cell.strip() for cell in cells[2:6]]
              for line in text.splitlines() if len(cells := line.split("|")) == 8}  # fmt: skip
    assert counts["asr"][0] == counts["asr"][3] == "35" and int(counts["asr"][2]) >= 20
    assert counts["task"] == ["9", "9", "0", "9"]
    groups = [int(row[0]) for name, row in counts.items() if name not in ("figures", "all")
              and row[0].isdigit()]  # fmt: skip
    assert sum(groups) == int(counts["all"][0]) == 139, "every figure is in one group"
    assert "| asr direct test" in text.partition("Outside:")[2]


def test_a_seed_between_the_others_is_one_of_their_kind(tmp_path):
    # Mean 0.5 and s = 0.1 of direct: half = 4.3027 * 0.1 * sqrt(4 / 3) = 0.4968.
    seeds = [changed(trained(seed=n), {"asr direct test": 0.3 + 0.1 * n}) for n in (1, 2, 3)]
    text = published(Results(tmp_path / "results"), tmp_path, *seeds)
    (row,) = (line for line in text.splitlines() if line.startswith("| attack success, direct"))
    shipped = read_base(SHIPPED).figure("asr direct test") or 0.0
    assert [cell.strip() for cell in row.split("|")[2:5]] == [
        f"{100 * shipped:.1f}", "0.3 to 99.7", "yes",
    ]  # fmt: skip


def test_what_a_seed_lacks_is_said(tmp_path):
    seeds = [trained(seed=n) for n in (1, 2, 3)]
    seeds[1] = changed(seeds[1], {"asr icon test": None})
    text = published(Results(tmp_path / "results"), tmp_path, *seeds)
    assert "- pictures minus text: not measured, or void, on 1 of 3 fresh seeds." in text
    assert "Not measured on every seed, and left out: 1 of 139." in text
    assert "Fewer than" not in text


def test_the_shortcut_stands_above_the_tables(tmp_path):
    assert read_base(SHIPPED).acceptance.modality_shortcut  # type: ignore[union-attr]
    text = published(Results(tmp_path / "results"), tmp_path, trained())
    note = text.index("**Modality shortcut**: on default-0, default-1 a blank picture")
    assert note < text.index("|")


def test_fewer_than_three_seeds_have_no_interval(tmp_path):
    results = Results(tmp_path / "results")
    publish_base(results, written(tmp_path / "default-1", trained()))
    found = read_bases(results)
    assert found is not None
    assert page.render(found).lower().count("fewer than 3 fresh seeds were trained") == 4


def test_what_may_not_be_published_is_refused(tmp_path):
    results = Results(tmp_path / "results")
    dirty = trained().model_copy(update={"git": Git(commit="c0ffee", dirty=True)})
    with pytest.raises(UserError, match="trained on an edited or unknown tree"):
        publish_base(results, written(tmp_path / "dirty", dirty))
    before = trained().model_copy(update={"after_stage": {}})
    with pytest.raises(UserError, match="lacks figures of its stages"):
        publish_base(results, written(tmp_path / "before", before))
    with pytest.raises(UserError, match="'default-0' is the shipped model"):
        publish_base(results, written(tmp_path / "default-0", trained(seed=0)))
    other = trained().model_dump(mode="json")
    other["plan"]["n_text"] += 1
    with pytest.raises(UserError, match="not the shipped model's settings: n_text"):
        publish_base(results, written(tmp_path / "longer", BaseRecord.model_validate(other)))
    with pytest.raises(UserError, match="'gold' is neither the default recipe nor an ablation"):
        publish_base(results, written(tmp_path / "gold", trained("gold")))
    publish_base(results, written(tmp_path / "one", trained()))
    other = written(tmp_path / "other", trained(text=0.9))
    with pytest.raises(UserError, match="another training is published there"):
        publish_base(results, other)
    assert publish_base(results, other, replace=True).name == "default-1.json"
    away = json.dumps(trained().model_dump(mode="json") | {"variant": "../../evil"})
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / RECORD).write_text(away)
    with pytest.raises(UserError, match="corrupt training record: variant"):
        publish_base(results, tmp_path / "evil")
    with pytest.raises(UserError, match="there is no such training record"):
        publish_base(results, tmp_path / "nowhere")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / RECORD).write_text("{}")
    with pytest.raises(UserError, match="corrupt training record: "):
        publish_base(results, tmp_path / "torn")


def test_it_is_published_by_a_command(tmp_path, capsys):
    folder = written(tmp_path / "default-1", trained())
    assert main(["publish", "--base", str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"][0]["name"] == "default-1"
    assert main(["publish", "--base", str(folder), "--method", "npo"]) == 2
    assert "--method, --study or --base, one of them" in capsys.readouterr().err
