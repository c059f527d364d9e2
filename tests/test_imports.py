"""Which way imports point, and which modules stay light. Changing a rule is a change here."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A room imports from rooms of its own layer or below.
LAYERS = {
    "benchmark.core": 0,
    "benchmark.models": 1,
    "benchmark.suites": 1,
    "benchmark.studies": 1,
    "benchmark.presets": 1,
    "benchmark.claims": 1,
    "benchmark.data": 1,
    "benchmark.testbed": 1,
    "benchmark.vlm": 1,
    "benchmark.cost": 1,
    "benchmark.scoring": 1,
    "benchmark.training": 2,
    "benchmark.engines": 2,
    # Below the rooms that use its words for roles and tuning; of their types it knows only names.
    "benchmark.api": 1,
    "benchmark.attacking": 1,
    "benchmark.attacks": 3,
    "benchmark.judges": 3,
    "benchmark.generators": 3,
    "benchmark.likelihoods": 3,
    "benchmark.whitebox": 3,
    "methods": 3,
    "benchmark.tables": 4,
    "benchmark.probes": 4,
    "benchmark.doctor": 4,
    "benchmark.stages": 4,
    "benchmark.progress": 1,
    "benchmark.testbed.architectures": 2,
    "benchmark.checks": 4,
    "benchmark.treating": 4,
    "benchmark.treatments": 4,
    "benchmark.runner": 4,
    "benchmark.forking": 4,
    "benchmark.several": 4,
    "benchmark.turns": 4,
    "benchmark.grids": 4,
    "benchmark.search": 4,
    "benchmark.durability": 5,
    "benchmark.enduring": 5,
    "benchmark.planning": 5,
    "benchmark.reproduce": 5,
    "benchmark.rejudging": 5,
    "benchmark.export": 5,
    "benchmark.outside": 5,
    "benchmark.speed": 5,
    "benchmark.serving": 5,
    "benchmark.testbed.recipe": 5,
    "benchmark.commands": 6,
    "benchmark.cli": 6,
    "benchmark.__main__": 6,
}
# What a plugin may see beside the types at the bottom of the house.
SEEN_BY_PLUGINS = {
    "methods": (
        "benchmark.api",
        "benchmark.core",
        "benchmark.training.guidance",
        "benchmark.training.losses",
        "benchmark.training.unlearning",
        "benchmark.vlm",
    ),
    "benchmark.attacks": ("benchmark.api", "benchmark.core", "benchmark.data.material"),
    # Ground truth is the world itself.
    "benchmark.judges": (
        "benchmark.api",
        "benchmark.core",
        "benchmark.data",
        "benchmark.testbed",
    ),
}
# These may be imported to list, tabulate and explain, and must not cost a torch import.
LIGHT = (
    "benchmark.core", "benchmark.models", "benchmark.suites", "benchmark.studies",
    "benchmark.presets",
    "benchmark.claims", "benchmark.data", "benchmark.api", "benchmark.attacking",
    "benchmark.scoring", "benchmark.attacks", "benchmark.tables", "benchmark.commands",
    "benchmark.cli", "benchmark.doctor",
)  # fmt: skip
HEAVY = {"torch", "transformers", "peft", "accelerate", "bitsandbytes", "datasets"}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    _module(path): path for top in ("benchmark", "methods") for path in (ROOT / top).rglob("*.py")
}


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _nodes(tree: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """All nodes but what only a type checker reads; with `at_import` no function bodies either."""
    for node in ast.iter_child_nodes(tree):
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if _is_type_checking(node) or (at_import and function):
            continue
        yield node
        yield from _nodes(node, at_import=at_import)


def _imported(path: Path, *, at_import: bool = False) -> set[str]:
    names: set[str] = set()
    for node in _nodes(ast.parse(path.read_text()), at_import=at_import):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(str(node.module))
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _under(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def _plugin(module: str, room: str) -> str:
    """The plugin that a module is part of: a file, or a folder of files that know one another."""
    return ".".join(module.split(".")[: room.count(".") + 2])


def _layer(module: str) -> int | None:
    rooms = [room for room in LAYERS if _under(module, room)]
    return LAYERS[max(rooms, key=len)] if rooms else None


def test_every_room_has_a_layer():
    without = [name for name in SOURCES if name != "benchmark" and _layer(name) is None]
    assert not without, "\n".join(without)


def test_imports_point_down():
    wrong = [
        f"{module} imports {name}"
        for module, path in SOURCES.items()
        for name in _imported(path)
        if (mine := _layer(module)) is not None
        and (theirs := _layer(name)) is not None
        and theirs > mine
    ]
    assert not wrong, "\n".join(wrong)


def test_the_benchmark_never_imports_methods_by_name():
    wrong = [
        module
        for module, path in SOURCES.items()
        if _under(module, "benchmark") and any(_under(name, "methods") for name in _imported(path))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", sorted(SEEN_BY_PLUGINS))
def test_plugins_see_the_contract_and_never_each_other(room):
    allowed = SEEN_BY_PLUGINS[room]
    wrong = [
        f"{module} imports {name}"
        for module, path in SOURCES.items()
        if _under(module, room) and not module.rpartition(".")[2].startswith("_")
        for name in _imported(path)
        if _layer(name) is not None
        and name != "benchmark"
        and not any(_under(name, seen) or _under(seen, name) for seen in allowed)
        and not name.removeprefix(f"{room}.").startswith("_")
        and not _under(name, _plugin(module, room))
        and name != room
    ]
    assert not wrong, "\n".join(wrong)


def test_light_rooms_import_nothing_heavy():
    wrong = [
        f"{module} imports {name}"
        for module, path in SOURCES.items()
        if any(_under(module, room) for room in LIGHT)
        for name in _imported(path, at_import=True)
        if name.partition(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list", "methods"], ["list", "datasets"], ["run", "--help"]]
)
def test_light_commands_really_leave_torch_alone(arguments):
    code = (
        "import sys; from benchmark.cli import main; code = main(sys.argv[1:]); "
        f"print([name for name in {sorted(HEAVY)!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_help_defines_no_records():
    """A tenth of a second, before the first line of every command."""
    code = (
        "import sys; from benchmark.cli import main; code = main(['--help']); "
        "print([n for n in ('benchmark.core.records', 'pydantic') if n in sys.modules]); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_folder_of_cards_never_becomes_a_package():
    assert list((ROOT / "datasets").rglob("*.py")) == []
    assert not (ROOT / "datasets.py").exists()
    assert not (ROOT / "tests" / "datasets").exists()


def test_hugging_face_datasets_is_the_one_that_is_imported():
    import importlib.util

    spec = importlib.util.find_spec("datasets")
    assert spec is not None
    assert spec.origin is not None
    assert not Path(spec.origin).is_relative_to(ROOT / "datasets")


def test_every_package_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in optional for line in extra)]
    declared = {line.split(">")[0].split("=")[0].split("<")[0].lower() for line in lines}
    names = {
        "yaml": "pyyaml",
        "PIL": "pillow",
        "sklearn": "scikit-learn",
        "rouge_score": "rouge-score",
    }
    third_party = {
        name.partition(".")[0]
        for path in SOURCES.values()
        for name in _imported(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
    } - {"benchmark", "methods"}
    # annotated_types and tokenizers come with pydantic and transformers, which pin them.
    undeclared = {names.get(name, name) for name in third_party} - declared
    assert undeclared <= {"annotated_types", "tokenizers", "huggingface_hub"}


def test_no_source_file_is_longer_than_300_lines():
    long = [name for name, path in SOURCES.items() if len(path.read_text().splitlines()) > 300]
    assert not long, "\n".join(long)


def test_no_function_is_longer_than_60_lines():
    long = [
        f"{name}.{node.name}"
        for name, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60
    ]
    assert not long, "\n".join(long)


def test_sources_are_ascii():
    wrong = [name for name, path in SOURCES.items() if not path.read_text().isascii()]
    assert not wrong, "\n".join(wrong)
