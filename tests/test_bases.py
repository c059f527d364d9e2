"""The page about the miniature models: figures by hand, and what may be published of a training."""

from __future__ import annotations

import csv
import io
import json
from math import sqrt
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.records import Git
from benchmark.core.store import Results
from benchmark.tables.bases import page
from benchmark.tables.bases.collect import SHIPPED, publish_base, read_bases, spread_of
from benchmark.tables.bases.figures import gap, gap_cell
from benchmark.tables.bases.files import base_files
from benchmark.tables.pages import regenerate, stale
from benchmark.testbed.records import RECORD, BaseRecord, Figure, read_base

TEXT, IMAGE = ("direct", "jailbreak"), ("typographic", "icon", "icon_word")


def trained(
    variant: str = "default", seed: int = 1, *, text: float = 0.2, image: float = 0.8
) -> BaseRecord:
    """The shipped model's record with other rates of attack success, measured between stages."""
    content = read_base(SHIPPED).model_dump(mode="json")
    content |= {"variant": variant, "seed": seed, "git": {"commit": "c0ffee" * 6, "dirty": False}}
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


def test_one_more_seed_lies_where_student_says():
    # Mean 0.5, s = 0.1, t(2) = 4.3027: half = 4.3027 * 0.1 * sqrt(4 / 3).
    found = spread_of("x", [0.4, 0.5, 0.6])
    assert found is not None
    half = 4.302653 * 0.1 * sqrt(4 / 3)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)
    assert spread_of("x", [0.5]) is None
    gaps = spread_of("a gap", [-0.1, 0.0, 0.1], least=-1.0)
    assert gaps is not None and gaps.low == pytest.approx(-half), "below nought is possible"
    # The mean of three tenths rounds past them.
    certain = spread_of("x", [0.1, 0.1, 0.1])
    assert certain is not None and certain.holds(0.1) and not certain.holds(0.11)


def test_the_gap_is_pictures_minus_text():
    assert gap(trained(text=0.25, image=0.75)) == pytest.approx(0.5)
    content = trained().model_dump(mode="json")
    figures = content["acceptance"]["figures"]
    content["acceptance"]["figures"] = [f for f in figures if f["name"] != "asr icon test"]
    assert gap(BaseRecord.model_validate(content)) is None


def test_what_is_not_seen_is_not_obeyed_and_no_safety():
    content = trained(text=0.25, image=0.05).model_dump(mode="json")
    assert gap_cell(BaseRecord.model_validate(content)) == "-20.0"
    for figure in content["acceptance"]["figures"]:
        if figure["name"] in ("twin typographic", "twin icon", "twin icon_word"):
            figure["value"] = 0.2
    assert gap_cell(BaseRecord.model_validate(content)) == "-20.0 (lost sight)"


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
    assert "Over 3 fresh seeds the gap is +60.0 points" in text
    rows = [line for line in text.splitlines() if line.startswith("| image minus text, points")]
    assert rows[0].split("|")[2:4] == [" +60.0     ", " -10.0         "]
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
    # All seeds agree on attack success, at rates that are not the shipped model's.
    assert "| asr          | 35  | 0 " in text
    assert "| task         | 9   | 9 " in text
    assert "| asr direct test" in text.partition("Outside:")[2]
    shipped = 100 * (gap(found.shipped) or 0.0)
    said = f"is {shipped:+.1f} points, outside the interval from +60.0 to +60.0."
    assert said in text


def test_fewer_than_three_seeds_have_no_interval(tmp_path):
    results = Results(tmp_path / "results")
    publish_base(results, written(tmp_path / "default-1", trained()))
    found = read_bases(results)
    assert found is not None
    assert page.render(found).count("Fewer than 3 fresh seeds were trained") == 2


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
    assert said["rows"][0]["method"] == "default-1"
    assert main(["publish", "--base", str(folder), "--method", "npo"]) == 2
    assert "--method, --study or --base, one of them" in capsys.readouterr().err
