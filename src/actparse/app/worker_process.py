"""A worker process: it loads the weights once and parses one video after the other, as its parent requests."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from actparse.app.folders import FolderBusyError
from actparse.app.jobs import JobOptions, VideoOutcome, run_job
from actparse.core.errors import ActparseError, DataError, failure_line
from actparse.core.pools import end_with_parent
from actparse.core.signals import end_on_signals

if TYPE_CHECKING:
    from actparse.parser import Parser

# What a worker sends, with its content: it waits for a video; it cannot load the weights; the folder of its video; the
# numbers of frames that are read and expected; the outcome so far, when the parse is saved; the final outcome; another
# process works on the video.
Kind = Literal["ready", "unfit", "folder", "frames", "saved", "done", "busy"]
Message = tuple[Kind, Path | tuple[int, int] | VideoOutcome | ActparseError | None]
FRAMES_SECONDS = 1.0  # between two messages on frames; a parent that polls has time for its limits between them


class WorkerProcess:
    """A process that parses one video after the other; its messages come over `connection`."""

    def __init__(self, load: Callable[[], Parser], options: JobOptions, threads: int) -> None:
        """Start the process.

        Args:
            load: returns the parser; it is pickled and called in the process.
            options: what to write for each video, and where.
            threads: number of threads of the process.
        """
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, load, options, threads), daemon=True)
        self.process.start()
        theirs.close()  # only the worker holds it, so that its end ends the connection
        self.is_ready = False

    def send(self, video: Path, *, recorded_path: str | None = None) -> None:
        """Request the parse of a video.

        Args:
            video: the file.
            recorded_path: see `run_job`.

        Raises:
            OSError: the process has ended.
        """
        self.connection.send((video, recorded_path))

    def end(self, seconds: float = 0.0) -> None:
        """End the process, after it had some seconds to end by itself."""
        self.process.join(seconds)
        self.process.kill()
        self.process.join()
        self.connection.close()

    def describe_end(self) -> str:
        """Return how the process has ended, in words."""
        self.process.join()
        code = self.process.exitcode or 0
        end = f"was killed by signal {-code}; it may have lacked memory" if code < 0 else f"ended with code {code}"
        return f"its process {end}"


def _serve(connection: Connection, load: Callable[[], Parser], options: JobOptions, threads: int) -> None:
    """Parse the videos that come over the connection, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends this one
    end_on_signals()
    end_with_parent()

    def notify(item: Path | VideoOutcome) -> None:
        connection.send(("folder" if isinstance(item, Path) else "saved", item))

    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= FRAMES_SECONDS:
            last = time.monotonic()
            connection.send(("frames", (done, total)))

    import cv2
    import torch  # not in the parent, whose start and memory count for each worker of a batch

    try:
        parser = load()
    except Exception as error:
        is_expected = isinstance(error, ActparseError)
        connection.send(("unfit", error if is_expected else DataError(failure_line("loading of the weights", error))))
        return
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    connection.send(("ready", None))
    while True:
        try:
            video, recorded_path = connection.recv()
        except EOFError:
            return
        try:
            outcome = run_job(parser, video, options, recorded_path=recorded_path, progress=progress, notify=notify)
            connection.send(("done", outcome))
        except FolderBusyError:
            connection.send(("busy", None))
