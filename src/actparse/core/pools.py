"""Work over several processes, spawned and not forked: a fork of a process whose libraries run threads may hang."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from actparse.core.errors import DataError

Result = TypeVar("Result")
FEW_JOBS = 8  # done here: to start processes takes longer
JOBS_AHEAD = 4  # of each process, so that results wait in little memory


def in_order(
    work: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    *,
    processes: int | None = None,
    end_running: bool = False,
) -> Iterator[Result]:
    """Results of `work(*job)` one by one in the order of the jobs, made ahead by other processes.

    Args:
        work: a module's function; it and its arguments travel to the processes.
        jobs: arguments of each call.
        processes: None is one for each core; 1 stays in this process, as a few jobs do.
        end_running: where the caller stops early, as by Ctrl-C, end what runs, for jobs that take minutes; what they
            leave on the disk is the caller's to remove. Else it is waited for.

    Raises:
        DataError: a process was killed from outside.
    """
    count = min(processes or os.cpu_count() or 1, len(jobs))
    if count <= 1 or (processes is None and len(jobs) <= FEW_JOBS):
        yield from (work(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(count, context, _follow_parent, (stop,)) as pool:
        waiting: list[Future[Result]] = []
        try:
            for job in jobs:
                waiting.append(pool.submit(work, *job))
                if len(waiting) >= JOBS_AHEAD * count:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        except BrokenProcessPool:
            needs = "needs to live to its end; it may have lacked memory, --processes 1 takes the least"
            raise DataError(f"a process of {work.__name__} {needs}, got killed") from None
        except BaseException:
            if end_running:
                stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _follow_parent(stop: Event) -> None:
    """End when the parent does or says so, and not before.

    Ctrl-C reaches every process of a terminal: the parent ends the others, without their traces. A parent that is
    killed ends nobody, and the others would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    threading.Thread(target=_end_when_told, args=(stop,), daemon=True).start()


def end_with_parent() -> None:
    """From now on, end this process when the one that started it does, however that ends."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end_when_told(stop: Event) -> None:
    stop.wait()
    os._exit(1)
