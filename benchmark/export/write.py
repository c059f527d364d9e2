"""Writes what a method left behind as an ordinary transformers checkpoint or PEFT adapter.

What was written is loaded again by the libraries themselves and must answer like the run's own
model; only then does it take its name.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from peft import PeftModel

from benchmark.core.errors import RunFailed, UserError
from benchmark.core.found import Exported
from benchmark.core.records import RunRecord
from benchmark.core.rows import BASE
from benchmark.core.samples import Sample
from benchmark.core.store import write_atomic, writing
from benchmark.engines.local import LocalEngine
from benchmark.export.card import model_card
from benchmark.models import load_card
from benchmark.probes.serving import Trained
from benchmark.stages.answer import engine_of
from benchmark.stages.loaded import folder_of
from benchmark.stages.resolve import Run
from benchmark.stages.samples import evaluation_samples
from benchmark.vlm.artifacts import ADAPTER, ADAPTER_CONFIG, WeightsDelta
from benchmark.vlm.loading import DTYPES, load_model
from benchmark.vlm.merging import write_merged
from benchmark.vlm.model import VisionLanguageModel

Form = Literal["checkpoint", "adapter"]
N_CHECKED = 32
# By how much logits may differ between a model with its adapter beside it and merged into it, by
# the precision of the sums. Rounded weights are compared with themselves: 4-bit ones in bfloat16,
# 8-bit ones with activations that are rounded to as many bits.
ROUNDING = {"fp32": 1e-3, "fp16": 0.1, "bf16": 0.5, "int8": 0.5, "nf4": 0.5}


def export(
    trained: Trained, *, to: Path, form: Form, record: tuple[Path, RunRecord] | None
) -> Exported:
    """Write it to `to`, which must not be there yet, and return what was written.

    Raises `UserError` for what no such files can hold: hooks, an unchanged model, an adapter of
    weights that were trained in full, 8-bit or 4-bit weights merged.
    """
    run, delta = trained.run, _delta(trained, form=form)
    check_free(to)
    base = run.model_card if delta.checkpoint is None else load_card(delta.checkpoint)
    own_code = run.request.trust_remote_code
    partial = to.with_name(f".{to.name}.partial")
    with writing(to):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if form == "checkpoint":
            write_merged(
                partial, delta,
                base=folder_of(base), precision=run.spec.precision, own_code=own_code,
            )  # fmt: skip
        else:
            _write_adapter(partial, trained.artifact.folder, base=str(base.checkpoint()))
    samples = _samples(run)
    alike, largest = _beside(trained, partial, samples, form=form, base=folder_of(base))
    write_atomic(
        partial / "README.md",
        model_card(
            run.spec, card=run.model_card, form=form, base=base.name,
            artifact=trained.artifact.info, record=record[1] if record else None,
        ),
    )  # fmt: skip
    with writing(to):
        _open_to_all_others(partial)
        if to.exists():
            to.rmdir()
        partial.rename(to)
    return Exported(
        folder=str(to),
        form=form,
        method=run.spec.method,
        model=run.spec.model,
        seed=run.spec.seed,
        n_bytes=sum(path.stat().st_size for path in to.iterdir()),
        n_checked=len(samples),
        n_alike=alike,
        largest_difference=largest,
        record=str(record[0]) if record else None,
    )


def _open_to_all_others(folder: Path) -> None:
    """Readable as any file that is made here: safetensors keeps its own to the owner."""
    hidden = os.umask(0)
    os.umask(hidden)
    for path in folder.iterdir():
        path.chmod(0o666 & ~hidden)


def check_free(to: Path) -> None:
    """Raise `UserError` unless `to` is not there, or is an empty folder."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"--to {to}: there is something already; name a folder that is not there")


def _delta(trained: Trained, *, form: Form) -> WeightsDelta:
    """The weights that are to be written; refuses what cannot be."""
    run, info = trained.run, trained.artifact.info
    name = run.spec.method
    if info.hooks:
        raise UserError(
            f"'{name}' answers through {', '.join(info.hooks)}, which no checkpoint or adapter can "
            f"hold; `ask --method {name}` and `run` serve it"
        )
    delta = trained.artifact.delta()
    if delta is None:
        where = "" if name == BASE else ", its settings have no effect"
        raise UserError(
            f"'{name}' changes no weight{where}: the model is in {run.model_card.checkpoint()}"
        )
    if form == "adapter" and (delta.adapter is None or delta.full or delta.checkpoint):
        trains = ", ".join(f"{role} ({how})" for role, how in info.trained_roles.items())
        raise UserError(
            f"'{name}' is no adapter: it trained {trains or 'another checkpoint'}; "
            "write it with --as checkpoint"
        )
    if form == "checkpoint" and delta.precision not in DTYPES:
        raise UserError(
            f"'{name}' was trained over {delta.precision} weights, which are never merged "
            "silently; write it with --as adapter"
        )
    return delta


def _write_adapter(folder: Path, artifact: Path, *, base: str) -> None:
    """PEFT's own two files, which are what an artifact holds."""
    shutil.copyfile(artifact / ADAPTER, folder / ADAPTER)
    config = json.loads((artifact / ADAPTER_CONFIG).read_text())
    write_atomic(
        folder / ADAPTER_CONFIG,
        json.dumps(config | {"base_model_name_or_path": base}, indent=2, sort_keys=True) + "\n",
    )


def _samples(run: Run) -> list[Sample]:
    """The first prompts of the evaluation of every kind and form, pictures among them."""
    groups: dict[tuple[str, str | None], list[Sample]] = {}
    for sample in evaluation_samples(run.suite.evaluation, images=run.images, limit=2):
        groups.setdefault((sample.purpose, sample.attack or sample.card), []).append(sample)
    rounds = max(map(len, groups.values()))
    ordered = [group[n] for n in range(rounds) for group in groups.values() if n < len(group)]
    return ordered[:N_CHECKED]


def _beside(
    trained: Trained, folder: Path, samples: Sequence[Sample], *, form: Form, base: Path
) -> tuple[int, float]:
    """How many prompts are answered as by the run's own model, and by how much the logits of first
    words differ at most. Raises `RunFailed` where that is more than rounding: many answers are the
    untouched model's too, so that answers alone would not tell."""
    run = trained.run
    own = engine_of(run, trained.artifact, trained.loaded)
    model = load_model(
        folder if form == "checkpoint" else base,
        name="exported",
        precision=run.spec.precision,
        trust_remote_code=run.request.trust_remote_code,
    )
    if form == "adapter":
        _put_on(model, folder)
    written = LocalEngine(model, hooks=(), max_new_tokens=run.spec.max_new_tokens)
    largest = max(
        float((own.first_logits(part) - written.first_logits(part)).abs().max())
        for part in _alone_or_pictured(samples)
    )
    alike = sum(
        mine.text == other.text
        for mine, other in zip(own.answer(samples), written.answer(samples), strict=True)
    )
    if largest > ROUNDING[run.spec.precision] or not alike:
        raise RunFailed(
            f"what was written to {folder} is not the run's own model (logits differ by "
            f"{largest:.2g}, {alike} of {len(samples)} prompts are answered alike): it is not "
            "handed out"
        )
    return alike, largest


def _alone_or_pictured(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Prompts without and with pictures, which are not asked in one batch."""
    parts = [[s for s in samples if bool(s.images) == pictured] for pictured in (False, True)]
    return [part for part in parts if part]


def _put_on(model: VisionLanguageModel, folder: Path) -> None:
    """The adapter as PEFT itself reads it, on the bare base."""
    model.hf = PeftModel.from_pretrained(model.hf, str(folder)).base_model.model
