"""Names to plugins: file names register, nothing is imported to list, every fault is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.core import registry
from benchmark.core.entries import KINDS, PLUGIN_KINDS
from benchmark.core.errors import RunFailed, UserError

BUILT_IN_METHOD = '"""Built in."""\nMETHOD = "ours"\n'


@pytest.fixture
def house(tmp_path, monkeypatch) -> Path:
    """A clone with a folder of methods of its own."""
    monkeypatch.setattr(registry, "REPOSITORY", tmp_path)
    (tmp_path / "methods").mkdir()
    return tmp_path


def _distribution(folder: Path, name: str, entry_points: str, files: dict[str, str]) -> None:
    """Lay out an installed distribution as pip would."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[vlm_unlearning_bench.methods]\n{entry_points}\n")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_everything_that_is_shipped_is_listed_without_a_problem():
    for kind in KINDS:
        found = registry.entries(kind)
        assert found, kind
        assert [entry.problem for entry in found.values() if entry.problem] == []
        assert all(entry.summary for entry in found.values()), kind
        assert all(len(entry.source_sha256) == 64 for entry in found.values())


@pytest.mark.parametrize("kind", PLUGIN_KINDS)
def test_every_shipped_plugin_defines_its_class(kind):
    for name in registry.entries(kind):
        assert isinstance(registry.load(kind, name), type), name


def test_the_file_name_is_the_registration(house):
    (house / "methods" / "npo.py").write_text('"""Negative preference.\n\nMore."""\n')
    (house / "methods" / "__init__.py").write_text("")
    (house / "methods" / "_shared.py").write_text("")
    (house / "methods" / "notes.txt").write_text("")
    folder = house / "methods" / "cagul"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""In a folder."""')
    (folder / "gate.py").write_text("1")
    found = registry.entries("method")
    assert {name: entry.summary for name, entry in found.items()} == {
        "cagul": "In a folder.", "npo": "Negative preference.",
    }  # fmt: skip
    before = found["cagul"].source_sha256
    (folder / "gate.py").write_text("2")
    assert registry.entries("method")["cagul"].source_sha256 != before


def test_listing_imports_nothing_and_shows_what_is_broken(house):
    (house / "methods" / "raises.py").write_text('"""Raises."""\nraise SystemExit(9)\n')
    (house / "methods" / "torn.py").write_text("def f(:\n")
    found = registry.entries("method")
    assert found["raises"].problem is None
    assert found["torn"].problem == f"{house}/methods/torn.py:1: invalid syntax"
    assert registry.names("method") == list(found) == ["raises", "torn"]
    with pytest.raises(UserError, match="method 'torn' cannot be used: .*invalid syntax"):
        registry.entry("method", "torn")


def test_an_unknown_name_shows_the_nearest(house):
    (house / "methods" / "textual_unlearning.py").write_text("")
    with pytest.raises(UserError) as caught:
        registry.entry("method", "textual_unlerning")
    assert str(caught.value) == (
        "unknown method 'textual_unlerning': did you mean 'textual_unlearning'?"
    )
    with pytest.raises(UserError, match="unknown suite 'x': known: none"):
        registry.entry("suite", "x")


def test_a_path_works_wherever_a_name_does(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('"""Mine."""\nMETHOD = "mine"\n')
    assert registry.load("method", str(path)) == "mine"
    assert registry.entry("method", str(path)).origin == "file"
    path.write_text('METHOD = "edited"\n')
    assert registry.load("method", str(path)) == "edited"
    with pytest.raises(UserError, match="there is no such file"):
        registry.entry("method", str(tmp_path / "other.py"))


@pytest.mark.parametrize(
    ("text", "kind_of_error", "message"),
    [
        (
            '"""D."""\n\nraise ValueError("no")\n', RunFailed,
            "method 'bad' cannot be imported: ValueError: no ({path}:3)",
        ),
        ("import nowhere_at_all\n", UserError,
         "method 'bad' ({path}) needs the package 'nowhere_at_all', which is not installed"),
        ("x = 1\n", RunFailed, "method '{path}' ({path}) does not define METHOD"),
    ],
)  # fmt: skip
def test_a_plugin_that_cannot_be_imported_is_named(tmp_path, text, kind_of_error, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(kind_of_error) as caught:
        registry.load("method", str(path))
    assert str(caught.value) == message.format(path=path)


def test_another_distribution_adds_a_method(house, monkeypatch):
    site = house / "site"
    _distribution(
        site, "other-lab", "theirs = other_lab.inner.theirs:METHOD",
        {"other_lab/__init__.py": "", "other_lab/inner/theirs.py": '"""Theirs."""\nMETHOD = 7\n'},
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(site))
    found = registry.entries("method")["theirs"]
    assert (found.origin, found.summary) == ("other-lab", "Theirs.")
    assert "other_lab" not in sys.modules
    assert registry.load("method", "theirs") == 7


def test_a_third_party_never_overrides_a_built_in(house, monkeypatch):
    (house / "methods" / "npo.py").write_text(BUILT_IN_METHOD)
    site = house / "site"
    _distribution(site, "other-lab", "npo = other_lab_npo", {"other_lab_npo.py": "METHOD = 7\n"})
    monkeypatch.syspath_prepend(str(site))
    found = registry.entry("method", "npo")
    assert found.origin == "built-in"
    assert found.note == (f"also claimed by other-lab ({site}/other_lab_npo.py), which is not used")


def test_a_name_claimed_twice_shows_both_and_stops_no_other(house, monkeypatch):
    (house / "methods" / "npo.py").write_text(BUILT_IN_METHOD)
    for lab in ("lab-a", "lab-b"):
        module = lab.replace("-", "_")
        site = house / lab
        _distribution(site, lab, f"simnpo = {module}", {f"{module}.py": "METHOD = 7\n"})
        monkeypatch.syspath_prepend(str(site))
    with pytest.raises(UserError) as caught:
        registry.entry("method", "simnpo")
    assert "claimed twice" in str(caught.value)
    assert f"lab-a ({house}/lab-a/lab_a.py)" in str(caught.value)
    assert f"lab-b ({house}/lab-b/lab_b.py)" in str(caught.value)
    assert registry.entry("method", "npo").problem is None


def test_an_entry_point_to_nothing_is_listed_as_broken(house, monkeypatch):
    _distribution(house / "site", "other-lab", "gone = other_lab_gone", {})
    monkeypatch.syspath_prepend(str(house / "site"))
    with pytest.raises(UserError, match="other-lab has no module 'other_lab_gone'"):
        registry.entry("method", "gone")


def test_a_package_of_the_same_name_elsewhere_is_noticed(tmp_path):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "__init__.py").write_text("")
    (tmp_path / "methods" / "original.py").write_text("METHOD = 0\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from benchmark.core import registry; registry.load('method', 'original')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "run from the clone with `python -m benchmark`" in done.stderr
