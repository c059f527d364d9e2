"""Inputs that are wrong in every way we could think of, by kind, and what reads them."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from faults.damage import truncate
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[1]
SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"
LONG = "a" * 300

RUN = ["run", "--method", "original"]
# The stage of it that takes no time: the untouched model is not trained.
TRAIN = ["train", "--method", "original", "--device", "cpu"]
COMMAND_LINES = [
    (["lst"], "'lst'"), (["run"], "--method"), (["run", "--metod", "x"], "'--metod'"),
    (["run", "--method", ""], "--method"), (["run", "--method", ","], "--method"),
    (["run", "--method", "a\nb"], r"a\nb"), (["run", "--method", "\udcff"], r"\udcff"),
    (["run", "--method", LONG], LONG), (["run", "--method", "npo+steps"], "steps"),
    (["run", "--method", "npo+steps=1+steps=2"], "=2"), (["run", "--method", "x/y.py"], "y.py"),
    ([*RUN, "--model", ""], "--model"), ([*RUN, "--model", LONG], LONG),
    ([*RUN, "--model", f"/{LONG}"], LONG), ([*RUN, "--model", "/"], "/"),
    ([*RUN, "--model", "~nobody_here/x"], "~nobody_here"), ([*RUN, "--model", "\udcff/"], "udcff"),
    ([*RUN, "--model", "/dev/null"], "/dev/null"), ([*RUN, "--model", "x.yaml"], "x.yaml"),
    ([*RUN, "--suite", ""], "suite"), ([*RUN, "--suite", f"{LONG}.yaml"], LONG),
    ([*RUN, "--suite", "~nobody_here/x.yaml"], "~nobody_here"),
    ([*RUN, "--suite", "testbed-safty"], "'testbed-safety'"),
    ([*RUN, "--seeds", "1234567"], "`--seeds 1234567,`"), ([*RUN, "--seeds", "\u0663"], "\u0663"),
    ([*RUN, "--seeds", "1,1"], "twice"), ([*RUN, "--seeds", "-1"], "-1"),
    ([*RUN, "--limit", "0"], "--limit"), ([*RUN, "--limit", "inf"], "--limit"),
    ([*RUN, "--jobs", "0"], "--jobs"), ([*RUN, "--checkpoint-every", "-1"], "--checkpoint-every"),
    ([*RUN, "--checkpoint-every", "nan"], "--checkpoint-every"),
    ([*RUN, "--set", "=1"], "=1"), ([*RUN, "--set", "a..b=1"], "a..b=1"),
    ([*RUN, "--set", "a=1", "--set", "a=2"], "a=2"), ([*RUN, "--set", "a=[1"], "a=[1"),
    ([*RUN, "--set", "a=!!python/name:os.system"], "python/name"),
    ([*RUN, "--set", "a=!!int x"], "x"), ([*RUN, "--set", "a=!!bool 2"], "2"),
    ([*RUN, "--set", "a=!!binary aaaa"], "binary"), ([*RUN, "--set", "a=!!set {x}"], "set"),
    ([*RUN, "--set", "a=\udcff"], "udcff"), ([*RUN, "--set", "a=\x07"], "x07"),
    ([*RUN, "--set", f"a={'9' * 5000}"], "too large"), ([*RUN, "--set", "a=1e999"], "1e999"),
    ([*RUN, "--set", "a=&x [*x]"], "alias"),
    ([*RUN, "--set", f"a={'[' * 3000}{']' * 3000}"], "deep"),
    ([*RUN, "--engine", "vlm"], "--engine"), ([*RUN, "--engine", "openai"], "--endpoint"),
    ([*RUN, "--endpoint", "http://a/v1"], "--engine"),
    ([*RUN, "--engine", "openai", "--endpoint", "a:1", "--served-model", "m"], "'a:1'"),
    ([*RUN, "--engine", "openai", "--endpoint", "http://a\udcff", "--served-model", "m"], "udcff"),
    ([*RUN, "--config", "no.yaml"], "no.yaml"), ([*RUN, "--config", "/"], "/"),
    ([*RUN, "--config", LONG], LONG), ([*RUN, "--results", "/dev/null"], "/dev/null"),
    ([*RUN, "--results", "~nobody_here/r"], "~nobody_here"), ([*RUN, "extra"], "extra"),
    ([*RUN, "--results", f"/{LONG}"], LONG), (["list", "pets"], "'pets'"),
    (["check", "method", "nope"], "'nope'"), (["check", "metod", "npo"], "'metod'"),
    (["durability", "nope"], "'nope'"), (["durability", "npo", "--treatments", "mergd"], "'mergd'"),
    (["durability", "npo", "--treatments", LONG], LONG),
    (["durability", "npo", "--seeds", "1,1"], "twice"),
    (["study", "nope"], "'nope'"), (["study", f"{LONG}.yaml"], LONG), (["publish"], "--method"),
    (["publish", "--method", "npo"], "'npo'"), (["publish", "--method", LONG], LONG),
    (["publish", "--method", "npo", "--seeds", "x"], "'x'"),
    (["publish", "--method", "npo", "--seeds", "5,"], "5.json"),
    (["publish", "--method", "all", "--model", LONG], LONG),
    (["plot", "run", "nope"], "'nope'"), (["plot", "run", LONG], LONG),
    (["plot", "run", f"{LONG}.json"], LONG), (["plot", "run", "no.json"], "no.json"),
    (["plot", "run", "npo", "--seed", "-1"], "--seed"), (["plot", "run", "/"], "'/'"),
    (["plot", "gate", "--method", "cagul,npo"], "cagul,npo"),
    (["serve", "--method", "nope"], "'nope'"), (["serve", "--method", "ecso,npo"], "ecso,npo"),
    (["serve", "--method", "ecso", "--port", "70000"], "--port"),
    (["serve", "--method", "ecso", "--timeout", "nan"], "--timeout"),
    (["serve", "--method", "ecso", "--max-tokens", "0"], "--max-tokens"),
    (["serve", "--method", "ecso", "--host", "203.0.113.1"], "203.0.113.1"),
    (["new-method", ""], "''"), (["new-method", "class"], "class"), (["new-method", "npo"], "npo"),
    (["new-method", "x", "--to", "/nope"], "/nope"),
    (["new-method", "x", "--to", "~nobody_here/"], "~nobody_here"),
    (["testbed", "--variant", "nope"], "'nope'"),
    (["testbed", "--architecture", "lava"], "'llava'"),
    (["doctor", "--model", LONG], LONG),
    (["doctor", "--model", "nope"], "'nope'"), (["search", "--method", "nope"], "'nope'"),
    (["table", "--chek"], "'--check'"), (["doctor", "--results", "~nobody_here"], "~nobody_here"),
]  # fmt: skip


CARD = """
name: pets
title: Questions about pets
roles: [utility]
licence: CC0-1.0
source: {kind: jsonl}
columns: {prompt: q, answer: a, image: img, key: n}
splits:
  test: {file: pets.jsonl, expected: 1}
metric: contains
"""
STUDY = ROOT / "benchmark" / "studies" / "loss_terms.yaml"
MODEL = (ROOT / "benchmark" / "models" / "testbed-llava.yaml").read_text()
MODEL = MODEL.replace("path: benchmark", f"path: {ROOT / 'benchmark'}")
PRESET = """
name: mine
title: One quick step
source: a test
precision: fp32
tuning: lora
settings: {steps: 1, batch_size: 1}
"""
ON_SUITE, ON_MODEL = ["--suite", str(SUITE)], ["--model", "testbed-llava"]
# Which file, what it is valid as, and the command that reads it.
YAML: dict[str, tuple[str, str, Callable[[str], list[str]]]] = {
    "dataset": ("pets.yaml", CARD, lambda path: ["doctor", "--dataset", path]),
    "model": ("testbed-llava.yaml", MODEL, lambda path: [*TRAIN, *ON_SUITE, "--model", path]),
    "suite": (
        "small-safety.yaml", SUITE.read_text(), lambda path: [*TRAIN, *ON_MODEL, "--suite", path],
    ),
    "study": ("loss_terms.yaml", STUDY.read_text(), lambda path: ["study", path]),
    "preset": (
        "mine.yaml", PRESET, lambda path: [*TRAIN, *ON_SUITE, *ON_MODEL, "--preset", path],
    ),
    "config": (
        "c.yaml", "steps: 1\nbatch_size: 1\n",
        lambda path: ["train", "--method", "npo", "--device", "cpu", *ON_SUITE, *ON_MODEL,
                      "--config", path],
    ),
}  # fmt: skip
LAUGHS = "".join(
    f"{a}: &{a} [{', '.join([f'*{b}'] * 9)}]\n" for a, b in zip("bcdefghi", "abcdefgh", strict=True)
)
DAMAGED_YAML = {
    "empty": b"",
    "a list": b"- a\n- b\n",
    "not text": b"title: \xff\xfe\n",
    "a control character": b"title: \x00\n",
    "a key twice": b"\nname: again\nname: again\n",
    "an unclosed list": b"\nlist: [1, 2\n",
    "a number as key": b"1: one\n",
    "a tag of Python's": b"title: !!python/object/apply:os.getcwd []\n",
    "an alias inside itself": b"title: &x [*x]\n",
    "an alias of nothing": b"title: *nothing\n",
    "a billion laughs": b"a: &a [x, x, x, x, x, x, x, x, x]\n" + LAUGHS.encode(),
}


def row(**changes: Any) -> bytes:
    return json.dumps({"q": "x", "a": "b", "img": "cat.png", "n": 1} | changes).encode() + b"\n"


# With what must be said of each: its place, and the column or the value.
NOT_JSON = "pets.jsonl:1: not JSON: "
ROWS = {
    "no row": (b"", "split 'test': 0 rows"), "a list": (b"[1]\n", "pets.jsonl:1: expected a JSON"),
    "cut": (row()[:20], NOT_JSON), "not text": (b"\xff\xfe\n", NOT_JSON),
    "deep": (b'{"q": ' + b"[" * 100_000, "pets.jsonl:1: nested too deeply"),
    "a huge number": (b'{"q": ' + b"9" * 5000 + b"}\n", f"{NOT_JSON}Exceeds"),
    "NaN": (row(q=float("nan")), f"{NOT_JSON}NaN"),
    "infinite": (row(q=float("inf")), f"{NOT_JSON}Infinity"),
    "null": (row(q=None), "pets.jsonl:1: the prompt"),
    "true": (row(q=True), "pets.jsonl:1: column 'q'"),
    "an object": (row(q={}), "pets.jsonl:1: column 'q'"),
    "half a character": (row(q="\ud800"), "pets.jsonl:1: column 'q'"),
    "half a character in a list": (row(a=["\udfff"]), "pets.jsonl:1: column 'a'"),
    "a list in a list": (row(a=[[1]]), "pets.jsonl:1: column 'a'"),
    "a column too few": (b'{"q": "x"}\n', "from a column 'a' that is not there"),
    "two rows for one": (row() * 2, "key '1' is there twice"),
    "a picture that is a folder": (row(img="."), "pets.jsonl:1: image "),
    "a picture with a NUL": (row(img="a\0b"), r"'a\x00b' leads out of the data folder"),
    "a picture with a long name": (row(img=LONG), f"/{LONG} cannot be read"),
}  # fmt: skip


def _with_size(png: bytes, width: int, height: int) -> bytes:
    """The same picture with a header that claims another size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        png[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + png[33:]
    )


PICTURES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda png: b"",
    "text": lambda png: b"not a picture",
    "a header alone": lambda png: png[:33],
    "of billions of pixels": lambda png: _with_size(png, 60_000, 60_000),
    "wider than anything": lambda png: _with_size(png, 2**31 - 1, 1),
    "without pixels": lambda png: _with_size(png, 0, 0),
} | {
    f"cut at {part}": lambda png, part=part: png[: int(part * len(png))] for part in (0.1, 0.5, 0.9)
}  # type: ignore[misc]


WEIGHTS = "model.safetensors"


def _tensors(change: Callable[[dict[str, torch.Tensor], str], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors, max(tensors))
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return damage


def _bytes(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def _config(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        fields = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(fields | changes))

    return damage


CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    "weights cut": lambda folder: truncate(folder / WEIGHTS, at=0.9),
    "weights cut in the header": lambda folder: truncate(folder / WEIGHTS, at=5),
    "weights empty": _bytes(WEIGHTS, b""),
    "weights of text": _bytes(WEIGHTS, b"no weights at all" * 99),
    "weights not there": lambda folder: (folder / WEIGHTS).unlink(),
    "a pickle for weights": lambda folder: torch.save({"a": torch.ones(2)}, folder / WEIGHTS),
    "a tensor too few": _tensors(lambda tensors, last: tensors.pop(last)),
    "a tensor too many": _tensors(lambda tensors, _: tensors.update(more=torch.ones(2))),
    "a tensor of another shape": _tensors(lambda t, last: t.update({last: torch.ones(3, 3)})),
    "a tensor that is NaN": _tensors(lambda t, last: t.update({last: t[last] * torch.nan})),
    "settings that are a list": _bytes("config.json", b"[]"),
    "settings cut": _bytes("config.json", b'{"model_type": '),
    "settings of bytes": _bytes("config.json", b"\xff\xfe"),
    "another family": _config(model_type=["llava"]),
    "no words": _config(text_config=None),
    "a word for a number of words": _config(text_config={"vocab_size": "many"}),
    "eyes of nobody": _config(vision_config={"model_type": "nobody"}),
    "tokenizer cut": lambda folder: truncate(folder / "tokenizer.json", at=0.5),
    "tokenizer's settings a list": _bytes("tokenizer_config.json", b"[]"),
    "a model that sees nothing": _bytes("config.json", b'{"model_type": "llama"}'),
    "an adapter alone": lambda folder: (
        (folder / "config.json").rename(folder / "adapter_config.json") and None
    ),
    "an adapter beside the weights": _bytes("adapter_config.json", b'{"peft_type": "LORA"}'),
    "no processor": lambda folder: (folder / "processor_config.json").unlink(),
    "a training record of bytes": _bytes("training_record.json", b"\xff\xfe"),
}


def _in(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return change


RECORDS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "null": lambda whole: b"null",
    "bytes": lambda whole: bytes(range(256)),
    "cut": lambda whole: whole[: len(whole) // 2],
    "deep": lambda whole: b"[" * 100_000,
    "of another encoding": lambda whole: whole.decode().encode("utf-16"),
    "of another version": _in(b'"schema_version":1', b'"schema_version":2'),
    "of another seed": _in(b'"seed":0', b'"seed":5'),
    "of another method": _in(b'"method":"npo"', b'"method":"original"'),
    "with NaN": _in(b'"seed":0', b'"seed":NaN'),
    "with half a character": _in(b'"method":"npo"', b'"method":"\\ud800"'),
}


def _text(change: Callable[[list[str]], list[str]]) -> Callable[[bytes], bytes]:
    """A change to the lines of a verdict table."""

    def changed(packed: bytes) -> bytes:
        lines = gzip.decompress(packed).decode().splitlines()
        return gzip.compress("".join(f"{line}\n" for line in change(lines)).encode())

    return changed


TABLES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda packed: b"",
    "cut": lambda packed: packed[:40],
    "not packed": gzip.decompress,
    "packed bytes": lambda packed: gzip.compress(b"\xff\xfe"),
    "followed by something": lambda packed: packed + b"more",
    "without a header": _text(lambda lines: lines[1:]),
    "its header alone": _text(lambda lines: lines[:1]),
    "rows gone": _text(lambda lines: lines[:-3]),
    "a longer row": _text(lambda lines: [*lines, f"{lines[1]},x"]),
    "a shorter row": _text(lambda lines: [*lines, "a,b"]),
    "an unclosed quote": _text(lambda lines: [*lines, '"unclosed']),
    "a huge field": _text(lambda lines: [*lines, "a" * 200_000]),
    "an unknown label": _text(lambda lines: [line.replace("complied", "nan") for line in lines]),
    "other labels": _text(lambda lines: [line.replace("complied", "refused") for line in lines]),
}
