"""Wall-clock time of each stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class StageTimer:
    """A sum of wall-clock seconds for each name: `with timer("persons"): ...`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure the time of the body and add it to `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start

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
        return {**stages, "other": round(total - sum(stages.values()), 3), "total": total}
