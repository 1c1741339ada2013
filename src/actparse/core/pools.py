"""Work in several processes. They are spawned, not forked: forking a process whose libraries run threads may hang."""

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

from actparse.core.errors import ActparseError, DataError

Result = TypeVar("Result")
FEW_JOBS = 8  # up to this many jobs run in this process: starting others takes longer
JOBS_AHEAD = 4  # jobs submitted ahead for each process; a limit keeps the waiting results small


def in_order(
    work: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    *,
    processes: int | None = None,
    end_running: bool = False,
) -> Iterator[Result]:
    """Yield the results of `work(*job)` in the order of the jobs; other processes compute them ahead.

    Args:
        work: a function of a module; it and its arguments are pickled and sent to the processes.
        jobs: arguments of each call.
        processes: number of processes. None is one for each core, and this process for FEW_JOBS or fewer; 1 is this
            process.
        end_running: if the caller stops early, for example by Ctrl-C, end the running jobs instead of waiting for
            them. For jobs that take minutes; the caller must remove what they leave on the disk.

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
    """End this process when the parent ends or requests it, and ignore Ctrl-C.

    Ctrl-C reaches every process of a terminal: the parent ends the others, without their tracebacks. A parent that is
    killed cannot end the others, which would wait for work forever.
    """

    def end_on_request() -> None:
        stop.wait()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    threading.Thread(target=end_on_request, daemon=True).start()


def run_as_child(work: Callable[..., object], arguments: tuple[Any, ...], report_error: Callable[[str], None]) -> None:
    """Run `work(*arguments)` in this child process, which ends with its parent.

    After an error of use, which is reported as one line, the exit code is 2; after Ctrl-C, which reaches every process
    of a terminal, it is 130.
    """
    end_with_parent()
    try:
        work(*arguments)
    except ActparseError as error:
        report_error(str(error))
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def end_with_parent() -> None:
    """End this process as soon as its parent process ends, for whatever reason."""

    def wait_for_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait_for_parent, daemon=True).start()
