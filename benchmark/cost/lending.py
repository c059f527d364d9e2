"""What is made once and used by many stages, and what each of them is charged for it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager

from benchmark.cost.clock import Stopwatch


class Lending:
    """Things of one kind, by name. A stage that finds one made before it began pays for it all the
    same, the mean of what one takes: costs must not depend on what ran before."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._n_ever_made = 0
        self._wall_s = 0.0
        self._device_s = 0.0
        self.needed: list[Hashable] = []
        """What the stage has made or borrowed so far, in this order; what there was no room to keep
        stands there as often as it was made."""
        self._own: set[Hashable] = set()
        self._borrowed: set[Hashable] = set()

    def open(self) -> None:
        """A stage begins: all that is there was made by others."""
        self.needed = []
        self._own.clear()
        self._borrowed.clear()

    @contextmanager
    def making(self, names: Collection[Hashable]) -> Iterator[None]:
        """Around the making of the named things, of which more may be named meanwhile; the stage's
        own clock runs all the time."""
        watch = Stopwatch(self._device)
        try:
            yield
        finally:
            wall_s, device_s = watch.read()
            self._wall_s += wall_s
            self._device_s += device_s
            self._n_ever_made += len(names)
            self.needed += names
            self._own.update(names)

    def use(self, name: Hashable) -> None:
        """Something that was there is used; the first time in a stage costs."""
        if name not in self._own and name not in self._borrowed:
            self._borrowed.add(name)
            self.needed.append(name)

    @property
    def n_needed(self) -> int:
        """Things that the stage has made or borrowed so far."""
        return len(self.needed)

    def bill(self) -> tuple[float, float]:
        """Wall seconds and device-seconds that the stage owes for what it borrowed."""
        share = len(self._borrowed) / self._n_ever_made if self._borrowed else 0.0
        return share * self._wall_s, share * self._device_s
