"""The commands as a user types them: exit codes, and one line per mistake."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.commands.options import read_overrides, read_seeds
from benchmark.core import registry
from benchmark.core.errors import RunFailed, UserError
from benchmark.models import load_card as load_model

ROOT = Path(__file__).resolve().parents[1]


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | variables,
    )  # fmt: skip


def _only_line(capsys: pytest.CaptureFixture[str]) -> str:
    line = capsys.readouterr().err
    assert line.count("\n") == 1, line
    return line.removeprefix("error: ").strip()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("lst", "No such command 'lst'. Did you mean 'list'?"),
        ("list pets", "Invalid value for 'KIND': 'pets' is not one of 'methods', 'attacks'"),
        ("run", "Missing option '--method'"),
        ("run --method", "Option '--method' requires an argument"),
        ("run --metod x", "unknown option '--metod': did you mean '--method'?"),
        ("run --method textual_sfd", "unknown method 'textual_sfd': did you mean 'textual_sft'?"),
        ("run --method original --model tesbed-lava", "unknown model 'tesbed-lava': did you mean"),
        (
            "run --method original --model some-org/repo",
            "model 'some-org/repo': there is no such "
            "folder, and an id of the hub is not taken by itself: a card names it",
        ),
        ("doctor --model ../nowhere", "model '../nowhere': there is no such folder"),
        ("doctor --model tesbed-lava", "unknown model 'tesbed-lava': did you mean 'testbed-llava'"),
        ("run --method original --suite safty", "unknown suite 'safty': did you mean 'safety'"),
        (
            "run --method original --seeds x",
            "--seeds 'x': expected a number of seeds (3) or a list",
        ),
        ("run --method original --seeds 0", "--seeds '0': at least one seed is needed"),
        ("run --method original --seeds 1,1", "--seeds '1,1': a seed is there twice"),
        ("run --method original --limit 0", "Invalid value for '--limit': Input should be greater"),
        ("run --method original --limit many", "Invalid value for '--limit': "),
        ("run --method original --set steps", "--set 'steps': expected key=value"),
        (
            "run --method , ",
            "--method is empty; `python -m benchmark list methods` shows the names",
        ),
        (
            "run --method original --config no.yaml",
            "cannot read no.yaml: No such file or directory",
        ),
        ("run --method no/such.py", "method 'no/such.py': there is no such file"),
        ("doctor --dataset testbed-fact", "unknown dataset 'testbed-fact': did you mean"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, arguments, line):
    assert main(arguments.split()) == 2
    assert _only_line(capsys).startswith(line)


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    said = capsys.readouterr()
    assert "Commands" in said.out + said.err


@pytest.mark.parametrize("arguments", [["--help"], ["list", "methods"]])
def test_it_answers_in_half_a_second_of_work(arguments):
    # Processor time, so that a busy machine does not fail the test; the first run fills caches.
    _run(*arguments)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert _run(*arguments).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= 0.5


def test_every_command_has_a_help_text_and_an_example(capsys):
    main(["--help"])
    commands = re.findall(r"^│ ([a-z]+)  ", capsys.readouterr().out, flags=re.MULTILINE)
    assert {"run", "train", "generate", "judge", "score", "list", "doctor", "clean"} <= set(
        commands
    )
    for command in commands:
        assert main([command, "--help"]) == 0
        assert "Example: " in capsys.readouterr().out, command


@pytest.mark.parametrize("kind", ["methods", "attacks", "judges", "datasets", "models", "suites"])
def test_list_shows_every_name(capsys, kind):
    assert main(["list", kind, "--json"]) == 0
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)]
    assert names == sorted(names)
    assert main(["list", kind]) == 0
    # What is indented is a note on the line above.
    lines = [line for line in capsys.readouterr().out.splitlines() if line[0] != " "]
    shown = [line.split()[0] for line in lines]
    assert shown == (["name", *names] if kind == "datasets" else names)


def test_models_are_listed_with_family_size_and_licence_or_what_is_wrong_with_their_card(
    capsys, tmp_path, monkeypatch
):
    assert main(["list", "models"]) == 0
    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert shown["llava-1.5-7b"].split()[1:5] == ["llava", "7.1", "B", "Llama"]
    assert shown["testbed-qwen"].split()[1:5] == ["qwen2_5_vl", "2.0", "M", "Apache-2.0"]
    card = (ROOT / "benchmark" / "models" / "llava-1.5-7b.yaml").read_text()
    broken = {
        "no_licence": (card.replace("licence:", "# "), "licence: missing"),
        "family": (card.replace("family: llava", "family: lava"), 'family = "lava": should be'),
        "field": (card.replace("gated:", "gatd:"), "gatd: unknown field, did you mean 'gated'?"),
        "copied": (card, "name is 'llava-1.5-7b' but the file is called 'copied'"),
    }
    for name, (text, _) in broken.items():
        renamed = text if name == "copied" else text.replace("name: llava-1.5-7b", f"name: {name}")
        (tmp_path / f"{name}.yaml").write_text(renamed)
    (tmp_path / "llava-1.5-7b.yaml").write_text(card)
    monkeypatch.setitem(registry.FOLDERS, "model", str(tmp_path))
    for load, code in (([], 0), (["--load"], 2)):
        assert main(["list", "models", *load]) == code
        lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
        assert set(lines) == {*broken, "llava-1.5-7b"}
        for name, (_, problem) in broken.items():
            assert f"broken: {tmp_path / name}.yaml: {problem}" in lines[name]


def test_a_model_that_is_made_here_is_not_broken_before_it_is_made(capsys):
    assert main(["list", "models", "--load", "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    made = load_model("testbed-privacy").found() is not None
    note = found["testbed-privacy"]["note"]
    assert note == (None if made else "not made here yet; rebuild it with `make testbed-privacy`")
    assert found["testbed-llava"]["note"] is None


def test_list_load_shows_what_is_broken_and_why(capsys, tmp_path, monkeypatch):
    (tmp_path / "fine.yaml").write_text(
        "name: fine\ntitle: Fine\nroles: [keep]\nlicence: MIT\n"
        "source: {kind: jsonl}\ncolumns: {prompt: p}\nsplits: {test: {file: f.jsonl}}\n"
    )
    (tmp_path / "torn.yaml").write_text("name: torn\ntitle: Torn\n")
    site = tmp_path / "site" / "other_lab-1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: other-lab\nVersion: 1.0\n")
    names = {
        "bad_judge": 'raise OSError("no")',
        "loud_judge": 'import os; os.system("printf hi"); raise OSError("loud")',
        "dead_judge": "import os; os._exit(7)",
        "odd_judge": "import signal; raise GeneratorExit('odd')",
    }
    lines = "".join(f"{name} = other_{name}\n" for name in names)
    (site / "entry_points.txt").write_text(f"[vlm_unlearning_bench.judges]\n{lines}")
    for name, line in names.items():
        (site.parent / f"other_{name}.py").write_text(f'"""Bad."""\n{line}\n')
    monkeypatch.syspath_prepend(str(site.parent))
    monkeypatch.setenv("PYTHONPATH", str(site.parent))
    assert main(["list", "judges"]) == 0
    capsys.readouterr()
    assert main(["list", "judges", "--load"]) == 2
    shown, said = capsys.readouterr()
    assert said == ""
    assert "broken: judge 'bad_judge' cannot be imported: OSError: no" in shown
    assert "broken: judge 'loud_judge' cannot be imported: OSError: loud" in shown
    assert "broken: the process died while loading it, exit code 7" in shown
    assert "broken: GeneratorExit: odd" in shown
    assert shown.count("broken") == len(names)


def test_doctor_names_what_is_missing(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "REPOSITORY", ROOT)
    main(["doctor", "--results", str(tmp_path)])
    shown = capsys.readouterr().out
    assert f"ok       import benchmark: {ROOT}/benchmark" in shown
    assert "import datasets: " in shown
    assert f"ok       results folder: {tmp_path}, writable" in shown
    assert main(["doctor", "--dataset", "testbed-facts"]) == 0
    assert "testbed-facts, split test: 100 rows, 0 images, fine" in capsys.readouterr().out


def test_doctor_says_3_for_a_data_set_whose_file_is_missing(capsys, tmp_path):
    path = tmp_path / "gone.yaml"
    path.write_text(
        "name: gone\ntitle: Gone\nroles: [keep]\nlicence: MIT\n"
        "source: {kind: jsonl}\ncolumns: {prompt: p}\nsplits: {test: {file: f.jsonl}}\n"
    )
    assert main(["doctor", "--dataset", str(path)]) == 3
    said = capsys.readouterr().out
    assert f"MISSING  gone: missing, had by hand alone; put f.jsonl into {tmp_path}" in said


def test_clean_keeps_records_unless_told_otherwise(capsys, results_folder):
    record = results_folder / "local" / "records" / "r.json"
    answers = results_folder / "local" / "stages" / "generate" / "key" / "answers.jsonl"
    for path in (record, answers):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    assert main(["clean"]) == 0
    assert record.exists()
    assert not answers.exists()
    assert main(["clean", "--all"]) == 0
    assert not record.exists()


def test_an_unwritable_results_folder_is_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    arguments = ["run", "--method", "original", "--results", str(tmp_path / "file")]
    assert main(arguments) == 2
    line = _only_line(capsys)
    assert line.startswith((f"cannot write {tmp_path}/file", "model 'testbed-llava'"))


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(kind: str) -> None:
        raise ZeroDivisionError(kind)

    monkeypatch.setattr(registry, "entries", broken)
    with pytest.raises(ZeroDivisionError):
        main(["list", "methods"])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("mend this"), 2, "mend this"),
        (RunFailed("it broke"), 1, "it broke"),
        (OSError(28, "No space left on device", "/x"), 2, "/x: No space left on device"),
        (
            KeyboardInterrupt(), 130,
            "interrupted; run the same command again and it goes on where it stopped",
        ),
    ],
)  # fmt: skip
def test_what_is_raised_becomes_its_exit_code(capsys, monkeypatch, error, code, line):
    def raises(kind: str) -> None:
        raise error

    monkeypatch.setattr(registry, "entries", raises)
    assert main(["list", "methods"]) == code
    assert _only_line(capsys) == line


def test_a_reader_that_leaves_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m benchmark list datasets --json | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[", "0"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1", (0,)), ("3", (0, 1, 2)), ("0,2", (0, 2)), ("7,", (7,)), (" 1 , 0 ", (1, 0))],
)
def test_seeds(text, seeds):
    assert read_seeds(text) == seeds


def test_overrides_come_from_a_file_and_go_above_it(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("steps: 10\nweights: {harm: 1.0, keep: 2.0}\n")
    found = read_overrides(["steps=20 weights.keep=1e-3", "note=a b c"], path)
    assert found == {"steps": 20, "weights": {"harm": 1.0, "keep": 1e-3}, "note": "a b c"}


def test_make_says_what_is_missing():
    done = subprocess.run(["make", "bench"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith("error: METHOD is missing, such as make bench METHOD=")


def test_make_help_lists_every_target():
    done = subprocess.run(["make"], capture_output=True, text=True, cwd=ROOT)
    shown = re.findall(r"^  ([a-z-]+) ", done.stdout, flags=re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony is not None
    guards = {"called", *(f"named-{of}" for of in ("bench", "search", "check"))}
    guards |= {f"known-{of}" for of in ("bench", "search", "check", "fetch")}
    assert set(shown) == set(phony.group(1).split()) - guards


def test_make_passes_everything_on():
    arguments = ["METHOD=x", "MODEL=m", "SUITE=s", "SEEDS=0,1", "LIMIT=5", "SET=a=1 b=2", "FORCE=1"]
    done = subprocess.run(
        ["make", "-n", "bench", *arguments, "CONFIG=c.yaml", "JOBS=2"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    for option in ("method", "model", "suite", "seeds", "limit", "set", "config", "jobs"):
        assert f'--{option} "${option.upper()}"' in done.stdout
    assert "--force" in done.stdout


@pytest.mark.parametrize("line", ["check METHOD=x", "new-method NAME=x"])
def test_make_passes_the_name_on(line):
    target, named = line.split()
    variable = named.partition("=")[0]
    done = subprocess.run(["make", "-n", target, named], capture_output=True, text=True, cwd=ROOT)
    assert re.search(rf'-m benchmark {target} .*"\${variable}"', done.stdout)
    # Before anything is set up: dry, so that no test can ever install into the environment.
    dry = subprocess.run(["make", "-n", target], capture_output=True, text=True, cwd=ROOT).stdout
    assert f"{variable} is missing" in dry
    assert dry.index(f"{variable} is missing") < dry.index(f"-m benchmark {target}")
    if "pip install" in dry:
        assert dry.index(f"{variable} is missing") < dry.index("pip install")


def test_a_misspelt_variable_of_make_starts_nothing():
    done = subprocess.run(
        ["make", "bench", "METHOD=original", "LIMT=3", "SET=steps=5 a=b"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "error: unknown: LIMT; make bench takes METHOD" in done.stderr


@pytest.mark.parametrize(
    ("target", "given", "message"),
    [
        ("check", "SEEDS=3", "error: unknown: SEEDS; make check takes METHOD ONLY\n"),
        ("fetch", "LOKC=1", "error: unknown: LOKC; make fetch takes DATASET SUITE ALL LOCK FROM\n"),
        (
            "search",
            "SEEDS=3",
            "error: unknown: SEEDS; make search takes METHOD MODEL SUITE JOBS ALLOW_MISSING\n",
        ),
        ("check", "ONLY=runs", "error: METHOD is missing, such as make check METHOD="),
    ],
)
def test_make_speaks_of_the_target_that_was_called(target, given, message):
    method = [] if given in ("ONLY=runs", "LOKC=1") else ["METHOD=original"]
    # Whoever calls the tests by make hands its own variables on.
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "METHOD"))}
    done = subprocess.run(
        ["make", target, *method, given],
        cwd=ROOT, capture_output=True, text=True, check=False, env=plain,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sho", ["show"]),
        ("run --method simn", ["simnpo"]),
        ("run --method npo,simn", ["npo,simnpo"]),
        ("run --model testbed-llava-un", ["testbed-llava-unaligned"]),
        ("compare npo refusal_", ["refusal_tuning"]),
        ("study loss", ["loss_terms"]),
        ("schema comp", ["compare"]),
    ],
)
def test_a_shell_completes_names(typed, offered):
    words = f"vlm-bench {typed}"
    done = subprocess.run(
        [sys.executable, "-c", "from benchmark.cli import script; script()"],
        capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {
            "_VLM_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
    )  # fmt: skip
    assert done.stdout.split() == offered, done.stderr


def test_what_no_shell_can_complete_says_what_it_can(capsys):
    assert main(["--install-completion"]) == 2
    assert "a shell completes `vlm-bench` alone" in _only_line(capsys)
