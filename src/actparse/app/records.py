"""Records of a batch while it runs: a log for people and a summary for scripts, complete up to the last video."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from actparse.app.jobs import VideoOutcome
from actparse.core.errors import ConfigError, OutputError
from actparse.core.files import printable


class BatchRecords:
    """Writes the files of --log and --summary: `with BatchRecords(...) as records: records.add(outcome)`."""

    def __init__(self, videos: Sequence[Path], *, log: Path | None = None, summary: Path | None = None) -> None:
        """Open the files and log the start.

        Args:
            videos: the batch; none of them may be one of the files.
            log: lines are added to it, each with its time.
            summary: JSON Lines, one object for each video, see `VideoOutcome.to_dict`; it replaces an earlier file.

        Raises:
            ConfigError: a file is one of the videos, or both are one file.
            OutputError: a file cannot be written.
        """
        self.failures: dict[str, str] = {}  # file that could not be written to its end -> one line
        self._outcomes: list[VideoOutcome] = []
        self._stack = ExitStack()
        paths = [os.path.realpath(path) for path in (log, summary) if path is not None]
        if len(paths) > len(set(paths)):
            raise ConfigError(f"--log and --summary must be two files, got {log} for both")
        for path in set(paths) & set(map(os.path.realpath, videos)):
            raise ConfigError(f"--log and --summary must not be one of the videos, got {path}")
        self._log = self._open(log, "a")
        self._summary = self._open(summary, "w")
        self._write(f"started: {len(videos)} videos")

    def add(self, outcome: VideoOutcome) -> None:
        """Write what happened to one video; a file that cannot be written does not stop the batch, see `failures`."""
        self._outcomes.append(outcome)
        effort = f"{outcome.seconds:.1f} s, {outcome.tries} {'try' if outcome.tries == 1 else 'tries'}"
        text = outcome.error or f"{outcome.video} -> {outcome.folder}: {outcome.verdict_text}"
        self._write(f"{outcome.status}: {text} ({effort})")
        for line in (*outcome.warnings, *(outcome.details or "").splitlines()):
            self._write(f"  {line}")
        self._add_line(self._summary, json.dumps(outcome.to_dict(), allow_nan=False))

    def _open(self, path: Path | None, mode: str) -> IO[str] | None:
        if path is None:
            return None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open(mode, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
        return self._stack.enter_context(file)

    def _write(self, line: str) -> None:
        self._add_line(self._log, f"{datetime.now().astimezone().isoformat(timespec='seconds')} {printable(line)}")

    def _add_line(self, file: IO[str] | None, line: str) -> None:
        if file is None or file.name in self.failures:
            return
        try:
            file.write(line + "\n")
            file.flush()
        except OSError as error:
            self.failures[file.name] = printable(f"{file.name}: cannot be written: {error.strerror}")

    def __enter__(self) -> BatchRecords:
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, _: object) -> None:
        count = {name: sum(outcome.status == name for outcome in self._outcomes) for name in ("reused", "failed")}
        text = f"{len(self._outcomes)} videos, {count['reused']} reused, {count['failed']} failed"
        self._write(f"finished: {text}" if kind is None else f"stopped by {kind.__name__} {failure}: {text}")
        with suppress(OSError):  # it is among the failures
            self._stack.close()
