"""What a method finds around it and leaves as it was: other runs share the process with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.modules import module as modules

Switch = tuple[Callable[[], Any], Callable[[Any], Any]]


def _set_device(device: torch.device) -> None:
    # Naming the CPU would install a mode that every later call goes through.
    torch.set_default_device(None if device.type == "cpu" else device)


def _set_deterministic(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _global_hooks() -> tuple[dict, ...]:
    return (
        modules._global_forward_pre_hooks,
        modules._global_forward_hooks,
        modules._global_backward_pre_hooks,
        modules._global_backward_hooks,
    )


def _keep_hooks(kept: tuple[tuple[int, ...], ...]) -> None:
    for hooks, keys in zip(_global_hooks(), kept, strict=True):
        for key in hooks.keys() - set(keys):
            del hooks[key]


SWITCHES: Mapping[str, Switch] = {
    "gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "default device": (torch.get_default_device, _set_device),
    "threads": (torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        _set_deterministic,
    ),
    "matmul precision": (
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision,
    ),
    "anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "hooks on every module": (
        lambda: tuple(tuple(hooks) for hooks in _global_hooks()), _keep_hooks,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """The process-wide switches of torch at one time. Random generators are not among them: the
    runner seeds them before each use."""

    states: Mapping[str, Any]

    @classmethod
    def now(cls) -> Surroundings:
        """As they are."""
        return cls({name: read() for name, (read, _) in SWITCHES.items()})

    def changes(self) -> list[str]:
        """What differs by now: `gradients: False, was True`."""
        now = Surroundings.now().states
        return [
            f"{name}: {now[name]}, was {was}"
            for name, was in self.states.items()
            if now[name] != was
        ]

    def restore(self) -> None:
        """Put back what differs."""
        now = Surroundings.now().states
        for name, was in self.states.items():
            if now[name] != was:
                SWITCHES[name][1](was)


@contextmanager
def restored() -> Iterator[Surroundings]:
    """Whatever is done inside, the next one finds things as they are now."""
    before = Surroundings.now()
    try:
        yield before
    finally:
        before.restore()
