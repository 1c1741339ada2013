"""Networks on several inputs at the same time: on a CPU, threads of one core each are faster than one of all cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

CPU_WORKERS = 4  # threads that run networks, at most; each of them needs memory for its activations


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = CPU_WORKERS
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with `work(item)`, in order; threads compute the next ones ahead and share torch's cores.

    A small network does not use all cores well: many of its layers are too small to divide.

    Args:
        work: called in several threads at the same time.
        items: read in the calling thread, one more than there are threads ahead of the result.
        workers: number of threads, at most; not more than torch's threads. With 1 there are no further threads.
    """
    cores = torch.get_num_threads()
    workers = min(workers, cores)
    if workers <= 1:
        yield from ((item, work(item)) for item in items)
        return
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(cores // workers,))
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            del item  # which the results hold until they are read
            if len(waiting) > workers:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(cores)  # a part of torch's setting is shared by all threads


def _first(waiting: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result]:
    item, future = waiting.popleft()
    return item, future.result()
