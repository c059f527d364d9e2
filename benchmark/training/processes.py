"""Processes that train together, each with its parts of every batch; or one alone.

Process 0 decides, writes and speaks; the others follow it through one training after another. They
agree before each step is taken, so that an error of one is an error of all, told by process 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed as dist
from torch import nn

from benchmark.core.errors import RunFailed, UserError
from benchmark.cost.clock import Stopwatch
from benchmark.vlm.model import VisionLanguageModel

Value = TypeVar("Value")
# Followers wait as long as process 0 answers and judges. One that died closes its connections,
# which is noticed at once.
PATIENCE = timedelta(days=365)
# Numbers that are sent together: fewer calls, and little memory beside the gradients.
BUCKET = 2**24


class Lost(RunFailed):
    """Another process is not there any more."""

    def __init__(self) -> None:
        super().__init__(
            "another process of this training ended before its time; what was kept is kept, and "
            "the same command goes on from there"
        )


class _Told(RunFailed):
    """Another process's mistake or misfortune; it was agreed upon, and is not told again."""


class Processes:
    """One alone, which has nobody to agree with."""

    index = 0
    n = 1
    strategy = "none"
    shards = False
    """Do they hold parts of the weights while they train, so that none can compute alone?"""

    def exchange(self, mine: Value) -> list[Value]:
        """What every process brings, in their order. Raises what one of them raised."""
        return [mine]

    @contextmanager
    def training(self) -> Iterator[None]:
        """Around a training: what is raised inside is raised in all."""
        yield

    def order(self, what: object) -> None:
        """Tell the others what to train next; None: nothing more."""

    def make_alike(self, parameters: Iterable[nn.Parameter]) -> None:
        """All go on with the weights of process 0."""

    @contextmanager
    def divided(
        self, model: VisionLanguageModel, beside: Mapping[str, nn.Module]
    ) -> Iterator[None]:
        """Around the steps of a phase, which trains the model and modules beside it: weights are in
        shards meanwhile, if they are shared, and parameters others than before and after."""
        yield

    def agreed(self, mine: Collection[int]) -> list[int]:
        """What this process computes now beside the losses: what it needs itself; with shards, what
        any of them needs."""
        return list(mine)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Every gradient becomes the sum of those of all processes."""

    def bill(self) -> tuple[float, float]:
        """Wall seconds (none) and core-seconds that the others took, when last they told."""
        return 0.0, 0.0

    def open(self) -> None:
        """A stage begins."""

    def tell_seconds(self) -> None:
        """Have `bill` know what the others took so far."""

    def leave(self) -> None:
        """Nothing more is shared."""


ALONE = Processes()


class Joined(Processes):
    """One of several, over torch's process groups: gradients by the devices' own way, and all that
    is agreed on by gloo. Without DistributedDataParallel, whose hooks count on one call of the
    whole model a step: losses here ask parts of it, several times."""

    strategy = "ddp"

    def __init__(self, *, device: str) -> None:
        from accelerate import PartialState

        with warnings.catch_warnings():
            # It shares the cores among processes, as wanted, and every one would say so.
            warnings.filterwarnings("ignore", message="OMP_NUM_THREADS")
            state = PartialState(cpu=device == "cpu", timeout=PATIENCE)
        self.index, self.n = state.process_index, state.num_processes
        self._device = device
        self._talk = dist.new_group(backend="gloo", timeout=PATIENCE)
        self._watch = Stopwatch("cpu")
        self._others_s = 0.0

    def exchange(self, mine: Value) -> list[Value]:
        """The same; an error of this process is its own, one of another is `RunFailed`."""
        return self._exchange((None, mine))

    @contextmanager
    def training(self) -> Iterator[None]:
        """The same. An interrupted one leaves without a word: the others see that it is gone."""
        try:
            yield
            self._exchange((None, None))
        except (Lost, _Told):
            raise
        except Exception as error:
            self._exchange((f"{_prefix(error, self.index)}{error}", None), own=error)

    def order(self, what: object) -> None:
        """The same."""
        with _lost_is_said():
            dist.broadcast_object_list([what], src=0, group=self._talk)

    def ordered(self) -> Any:
        """What process 0 trains next; waits for it."""
        what: list[Any] = [None]
        with _lost_is_said():
            dist.broadcast_object_list(what, src=0, group=self._talk)
        return what[0]

    def make_alike(self, parameters: Iterable[nn.Parameter]) -> None:
        """The same."""
        with _lost_is_said(), torch.no_grad():
            for parameter in parameters:
                dist.broadcast(parameter.data, src=0)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """The same; one that a process has no gradient of counts as nought there, and one that
        none has any of gets none, since an optimiser passes over it."""
        every = list(parameters)
        have = self.exchange([parameter.grad is not None for parameter in every])
        for bucket in _buckets(p for p, *any_of in zip(every, *have, strict=True) if any(any_of)):
            gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in bucket]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            with _lost_is_said():
                dist.all_reduce(flat)
            for parameter, part in zip(
                bucket, flat.split([p.numel() for p in bucket]), strict=True
            ):
                parameter.grad = part.view_as(parameter)

    def bill(self) -> tuple[float, float]:
        """The same. On GPUs the meter multiplies by their number instead."""
        return 0.0, self._others_s if self._device == "cpu" else 0.0

    def open(self) -> None:
        """The same."""
        self._others_s = 0.0
        self._watch = Stopwatch("cpu")

    def tell_seconds(self) -> None:
        """The same."""
        _, mine_s = self._watch.read()
        all_s = self.exchange(mine_s)
        self._others_s = sum(all_s) - all_s[self.index]

    def leave(self) -> None:
        """The same."""
        dist.destroy_process_group()

    def _exchange(self, mine: Any, *, own: Exception | None = None) -> list[Any]:
        brought: list[Any] = [None] * self.n
        try:
            with _lost_is_said():
                dist.all_gather_object(brought, mine, group=self._talk)
        except Lost:
            # Its own error says more than that the others are gone, of it perhaps.
            if own is None:
                raise
        if own is not None:
            raise own
        wrong = next((error for error, _ in brought if error is not None), None)
        if wrong is not None:
            raise _Told(wrong)
        return [value for _, value in brought]


def _buckets(parameters: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Of one type each, in their order, none larger than `BUCKET` but for a single parameter."""
    bucket: list[nn.Parameter] = []
    for parameter in parameters:
        full = sum(p.numel() for p in bucket) + parameter.numel() > BUCKET
        if bucket and (full or bucket[0].dtype != parameter.dtype):
            yield bucket
            bucket = []
        bucket.append(parameter)
    if bucket:
        yield bucket


def _prefix(error: Exception, index: int) -> str:
    """Whose it is, where it is not the user's to mend, which every process says alike."""
    if isinstance(error, UserError | RunFailed):
        return ""
    return f"process {index}: {type(error).__name__}: "


@contextmanager
def _lost_is_said() -> Iterator[None]:
    """What torch raises of a connection that broke, in our words."""
    try:
        yield
    except RuntimeError as error:
        raise Lost from error
