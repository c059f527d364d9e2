"""A plan in words, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.planning.planned import Planned, PlannedPhase, PlannedRoom, PlannedStage

WIDTH = 80
SIZES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def draw(console: Console, found: Planned) -> None:
    """Print it."""
    for line in (*_head(found), *_training(found)):
        _say(console, line)
    console.print()
    console.print(_memory(found))
    for line in _rooms(found):
        _say(console, line)
    _say(console, _disk(found))
    console.print()
    console.print(_stages(found))
    console.print()
    for title, lines in (("assumed", found.assumptions), ("note", found.notes)):
        for line in lines:
            _say(console, f"{title}: {line}")


def _say(console: Console, line: str) -> None:
    """Wrapped, with what follows the first line set in."""
    first, *rest = (part.plain.rstrip() for part in Text(line).wrap(console, WIDTH - 2))
    console.print(Text(first))
    for more in rest:
        console.print(Text(f"  {more}"))


# -- what it is ---------------------------------------------------------------------------------


def _head(found: Planned) -> Iterator[str]:
    preset = found.preset
    named = f", preset {preset}" if preset and f"@{preset}" not in found.method else ""
    yield f"{found.method} on {found.model}, suite {found.suite}{named}"
    beside = "what stands beside the model" if any(one.n_steps for one in found.training) else ""
    tuning = ", ".join(f"{role} {how}" for role, how in found.tuning.items()) or beside or "nothing"
    seeds = "1 seed" if found.n_seeds == 1 else f"{found.n_seeds} seeds"
    how = ", gradient checkpointing" if found.gradient_checkpointing else ""
    computed = f", computed in {found.computed_in}" * (found.computed_in != found.precision)
    yield f"weights in {found.precision}{computed}; trained: {tuning}{how}; {seeds}"
    counted = (f"{name} {_number(n)}" for name, n in found.parameters.items())
    yield f"parameters: {', '.join(counted)}"


def _training(found: Planned) -> Iterator[str]:
    for phase in found.training:
        name = f"phase {phase.name}" if len(found.training) > 1 else "training"
        yield f"{name}: {_steps(phase)}"
        if phase.n_sequences:
            yield _tokens(phase)


def _steps(phase: PlannedPhase) -> str:
    at_once = "at once"
    if phase.micro_batch < phase.batch_size:
        at_once = f"{phase.micro_batch} at a time (micro-batch)"
    pools = ", ".join(
        f"{role} {one.n_samples} ({one.n_epochs:.3g} epochs)" for role, one in phase.pools.items()
    )
    return (
        f"{phase.n_steps} steps of {phase.batch_size} samples of each pool, {at_once}; {pools}; "
        f"{phase.n_images} images"
    )


def _tokens(phase: PlannedPhase) -> str:
    """Means of a sequence, and how much longer images make it."""
    text, image, answer = (
        phase.text_tokens_each, phase.image_tokens_each, phase.answer_tokens_each,
    )  # fmt: skip
    words, whole = text + answer, text + image + answer
    share = ""
    if image and words:
        share = f", {100 * image / whole:.3g} % image and {whole / words:.3g} times its words alone"
    return (
        f"mean of {_number(phase.n_sequences)} sequences: {text:.3g} text + {image:.3g} image + "
        f"{answer:.3g} answer = {whole:.3g} tokens{share}"
    )


# -- what it takes up ---------------------------------------------------------------------------


def _memory(found: Planned) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("memory", width=24)
    columns = [("answering", found.answering_memory)]
    if found.training_memory:
        columns.insert(0, ("training, a step", found.training_memory))
    for title, _ in columns:
        table.add_column(title, justify="right")
    for name in dict.fromkeys(name for _, parts in columns for name in parts):
        taken = (_bytes(parts[name]) if name in parts else "-" for _, parts in columns)
        table.add_row(name, *taken)
    table.add_row("all", *(_bytes(sum(parts.values())) for _, parts in columns))
    return table


def _rooms(found: Planned) -> Iterator[str]:
    has = found.device.memory_bytes
    if has is not None:
        yield f"{found.device.name} has {_bytes(has)}"
    if found.training_room is not None:
        less = ""
        if found.training_room.verdict != "fits":
            less = f"; what takes less: {', '.join(found.remedies) or 'nothing that is offered'}"
        yield f"training: {_verdict(found.training_room)}{less}"
    elif any(one.n_steps for one in found.training) and not found.training_memory:
        yield "training: its memory is not reckoned, since more than the language model is trained"
    yield f"answering, {_answering(found)}"


def _answering(found: Planned) -> str:
    asked, there = found.answering, found.answering_room
    if there is None:
        return f"batches of {asked.batch_size}"
    if asked.falls_back_to == asked.batch_size:
        return f"batches of {asked.batch_size}: {_verdict(there)}"
    whole = f"batches of {asked.batch_size} take {_bytes(asked.whole_bytes)}"
    if asked.falls_back_to == 1 and there.verdict != "fits":
        return f"{whole}, one sample at a time: {_verdict(there)}"
    return (
        f"{whole}; of {asked.falls_back_to}, to which it falls back where memory ends: "
        f"{_verdict(there)}"
    )


def _verdict(there: PlannedRoom) -> str:
    needs, reserve = _bytes(there.needed_bytes), _bytes(there.reserve_bytes)
    if there.verdict == "does not fit":
        return f"DOES NOT FIT, {needs} are {_bytes(-there.spare_bytes)} too much"
    spare = f"{needs} leave {_bytes(there.spare_bytes)}"
    if there.verdict == "tight":
        return f"TIGHT, {spare}, less than the reserve of {reserve}"
    return f"fits, {spare} (reserve {reserve})"


def _disk(found: Planned) -> str:
    parts = ", ".join(f"{name} {_bytes(n_bytes)}" for name, n_bytes in found.disk.items())
    return f"disk: {_bytes(sum(found.disk.values()))} ({parts})"


# -- how long it takes --------------------------------------------------------------------------


def _stages(found: Planned) -> Table:
    hours = "GPU-hours" if found.device.unit == "gpu" else "core-hours"
    most = max((stage.flops or 0.0 for stage in found.stages), default=0.0)
    size, letter = next(((s, x) for s, x in SIZES if most >= s), SIZES[-1])
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), width=WIDTH)
    table.add_column("tokens by stage", ratio=1, no_wrap=True)
    for title in ("asked", "images", "text", "image", "answer", f"{letter}FLOP", hours):
        table.add_column(title, justify="right", no_wrap=True)
    for stage in found.stages:
        table.add_row(
            stage.name,
            *(_number(n) for n in (stage.n_samples, stage.n_images)),
            *(_number(n) for n in (stage.n_text_tokens, stage.n_image_tokens)),
            _number(stage.n_answer_tokens),
            f"{stage.flops / size:.3g}" if stage.flops is not None else "-",
            _hours(stage),
        )
    total = f"{found.device_h:.2g}" if found.device_h is not None else "n/a"
    table.add_row("all", *[""] * 6, total)
    return table


def _hours(stage: PlannedStage) -> str:
    if stage.device_h is None:
        return "n/a"
    mark = "*" if stage.how == "measured" else ""
    return f"{stage.device_h:.2g}{mark}"


def _number(value: float | None) -> str:
    """Three digits and a letter."""
    if value is None:
        return "-"
    for size, letter in SIZES:
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _bytes(value: float) -> str:
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.1f} MiB"
