"""What runs the workers of a batch: processes of this machine, or Ray; the driver sees one small interface."""

from __future__ import annotations

import platform
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from actparse.scale.manifest import Entry
from actparse.scale.worker import Outcome, Worker

MAX_DOUBLINGS = 10  # of a pause that grows after each failure


@dataclass(frozen=True)
class Answer:
    """What came of a video that was given to a worker; `outcome` is None if the worker has died."""

    worker: str
    entry: Entry
    outcome: Outcome | None


class Executor(Protocol):
    """Workers that each take one video at a time."""

    dashboard: str | None  # address of a page about the cluster

    def describe(self) -> str:
        """Return what runs the workers, in a few words."""
        ...

    def num_workers(self) -> int:
        """Return how many workers there are, or will be when they have started."""
        ...

    def free_workers(self) -> list[str]:
        """Return the names of the workers that wait for a video."""
        ...

    def submit(self, worker: str, entry: Entry) -> None:
        """Give a video to a free worker."""
        ...

    def wait(self, seconds: float) -> list[Answer]:
        """Return what has been answered since the last call, after at most some seconds."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...


class LocalExecutor:
    """Workers in threads of this process; each has a child process, where the parser is."""

    dashboard: str | None = None

    def __init__(self, build: Callable[[int, str], Worker], num_workers: int) -> None:
        """Start the threads.

        Args:
            build: returns the worker with this index and name.
            num_workers: number of workers.
        """
        self._workers = {
            name: build(index, name) for index, name in enumerate(f"{platform.node()}-{n}" for n in range(num_workers))
        }
        self._inputs: dict[str, queue.SimpleQueue[Entry | None]] = {name: queue.SimpleQueue() for name in self._workers}
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._free = list(self._workers)
        for name in self._workers:
            threading.Thread(target=self._serve, args=(name,), daemon=True).start()

    def describe(self) -> str:
        """Return what runs the workers, in a few words."""
        return f"{len(self._workers)} processes of this machine"

    def num_workers(self) -> int:
        """Return the number of workers."""
        return len(self._workers)

    def free_workers(self) -> list[str]:
        """Return the names of the workers that wait for a video."""
        return list(self._free)

    def submit(self, worker: str, entry: Entry) -> None:
        """Give a video to a free worker."""
        self._free.remove(worker)
        self._inputs[worker].put(entry)

    def wait(self, seconds: float) -> list[Answer]:
        """Return what has been answered since the last call, after at most some seconds."""
        answers = []
        try:
            answers.append(self._answers.get(timeout=seconds))
            while True:
                answers.append(self._answers.get_nowait())
        except queue.Empty:
            pass
        self._free += [answer.worker for answer in answers]
        return answers

    def close(self) -> None:
        """End all workers."""
        for name, worker in self._workers.items():
            self._inputs[name].put(None)
            worker.close()

    def _serve(self, name: str) -> None:
        while (entry := self._inputs[name].get()) is not None:
            self._answers.put(Answer(name, entry, self._workers[name].parse(entry)))
