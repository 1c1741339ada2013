"""Wall-clock time of each stage, also of stages that run at the same time."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

Item = TypeVar("Item")


class StageTimer:
    """A sum of wall-clock seconds for each name: `with timer("persons"): ...`.

    While several stages run in different threads, each of them gets an equal share of the time, so that the sum over
    all stages is the time during which any of them ran.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: Counter[str] = Counter()  # stage -> number of threads in it
        self._last = 0.0  # when the running stages last changed
        self._lock = Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure the time of the body and add it to `stage`."""
        self._change(stage, 1)
        try:
            yield
        finally:
            self._change(stage, -1)

    def _change(self, stage: str, change: int) -> None:
        """Add the time since the last change to the running stages, then count a thread in or out of `stage`."""
        with self._lock:
            now = time.perf_counter()
            for running, count in self._running.items():
                self.seconds[running] += (now - self._last) * count / self._running.total()
            self._last = now
            self._running[stage] += change
            self._running += Counter()  # without those that have ended

    def timed(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items; the time until each of them arrives is added to `stage`."""
        iterator = iter(items)
        while True:
            with self(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def summary(self, total_seconds: float) -> dict[str, float]:
        """Return the seconds of each stage, then "other" (outside all stages) and "total", rounded to milliseconds."""
        stages = {stage: round(seconds, 3) for stage, seconds in self.seconds.items()}
        total = round(total_seconds, 3)
        return {**stages, "other": max(0.0, round(total - sum(stages.values()), 3)), "total": total}
