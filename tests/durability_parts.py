"""Durability records made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.core.durability_records import (
    DurabilityCost,
    DurabilityRecord,
    TreatedFigure,
    TreatedState,
)
from benchmark.core.records import Git, StageCost, System

SYSTEM = System(
    device="cpu", device_name="a processor", n_devices=1, n_cores=2, n_threads=1, memory_bytes=1,
    platform="linux", python="3.11",
)  # fmt: skip
COST = StageCost(wall_s=1.0, device_s=2.0)
NAMES = [f"b{n}" for n in range(20)]


def flat(rate: float, steps: tuple[int, ...] = (0, 1, 2, 4)) -> dict[int, dict[str, float]]:
    """A curve that stays where it is."""
    return {step: dict.fromkeys(NAMES, rate) for step in steps}


def rising(*rates: float) -> dict[int, dict[str, float]]:
    """A curve that is the same for every behaviour, at steps 0, 1, 2, 4 ..."""
    steps = (0, *(2**n for n in range(len(rates) - 1)))
    return {step: dict.fromkeys(NAMES, rate) for step, rate in zip(steps, rates, strict=True)}


def figure(metric: str, part: str, rates: Mapping[str, float], **changes) -> TreatedFigure:
    """The mean of these rates; its own interval is not read by tables."""
    value = sum(rates.values()) / len(rates) if rates else None
    fields = {
        "metric": metric, "part": part, "form": "all", "value": value, "low": value,
        "high": value, "n_total": len(rates), "n_unscored": 0, "by_behaviour": dict(rates),
    }  # fmt: skip
    return TreatedFigure(**(fields | changes))


def alike(rate: float, n: int = 20) -> dict[str, float]:
    """The same rate for every behaviour."""
    return {f"b{number}": rate for number in range(n)}


def partly(metric: str, part: str, rate: float, n_unscored: int, **changes) -> TreatedFigure:
    """The same rate for every one of twenty behaviours but so many that nobody could judge."""
    scored = alike(rate, 20 - n_unscored)
    return figure(metric, part, scored, n_total=20, n_unscored=n_unscored, **changes)


def state(*figures: TreatedFigure, twin: float | None = 1.0, **changes) -> TreatedState:
    """What was measured at one moment, twins and utility beside it; twins of None are those that
    nobody could judge."""
    twins = partly("twin", "kept", 0.0, 20) if twin is None else figure("twin", "kept", alike(twin))
    harmless = [twins, figure("utility", "kept", alike(0.9))]
    return TreatedState(answers_key="k", figures=[*figures, *harmless], **changes)


def record(
    method: str, treatment: str, states: Sequence[TreatedState], **changes
) -> DurabilityRecord:
    """One that is done, unless told."""
    fields = {
        "treatment": treatment, "settings": {}, "source_sha256": "s", "method": method,
        "config": {}, "method_sha256": "m", "reference": method in ("original", "gold"),
        "model": "testbed-llava", "model_sha256": "w", "suite": "testbed-safety",
        "notice": "Made by hand.", "seed": 0, "limit": None, "forms": ["direct"],
        "judges": ["ground_truth"], "training": "t", "hooks": [], "status": "done",
        "states": list(states), "started_at": "2026-01-01", "ended_at": "2026-01-01",
        "git": Git(commit=None, dirty=None), "packages": {}, "system": SYSTEM,
        "cost": DurabilityCost(treat=COST, generate=COST, judge=COST),
    }  # fmt: skip
    return DurabilityRecord(**(fields | changes))


def impossible(method: str, treatment: str, reason: str) -> DurabilityRecord:
    """One that this machine cannot have."""
    return record(method, treatment, [], status="not_possible", reason=reason, cost=None)


def held_out(method: str, treatment: str, rate: float, **changes) -> DurabilityRecord:
    """Attack success on held-out behaviours after a treatment without steps."""
    twin = changes.pop("twin", 1.0)
    asked = state(figure("asr", "held_out", alike(rate)), twin=twin)
    return record(method, treatment, [asked], **changes)


def relearned(
    method: str,
    taught: Sequence[float],
    others: Sequence[float],
    *,
    twins: Sequence[float | None] | None = None,
    unscored: Sequence[int] | None = None,
    **changes,
) -> DurabilityRecord:
    """A curve that is the same for every behaviour and form, at steps 0, 1, 2, 4 ...; unless told,
    all `twins` are done and none of the twenty behaviours of a part is `unscored`."""
    steps = (0, *(2**n for n in range(len(taught) - 1)))
    twins = twins or [1.0] * len(taught)
    unscored = unscored or [0] * len(taught)
    states = [
        state(
            *(
                partly("asr", part, rate, n, form=form)
                for part, rate in (("relearned", one), ("not_relearned", two))
                for form in ("all", "direct")
            ),
            step=step,
            twin=twin,
        )
        for step, one, two, twin, n in zip(steps, taught, others, twins, unscored, strict=True)
    ]
    return record(method, "relearn", states, relearned=list(alike(0)), **changes)
