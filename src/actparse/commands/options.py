"""Exit codes, options and JSON output that several commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

EXIT_SOME_FAILED = 1  # some of several videos or parses failed
EXIT_USER_ERROR = 2  # an error that the user can fix
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141  # the reader of the output has closed it, as `head` does

RARE = Parameter(show=False)  # not in --help; --print-config and the documentation contain it

Weights = Annotated[
    str,
    Parameter(metavar="NAME_OR_PATH", help="people (real footage), tiny (drawn people), or a bundle's folder"),
]
Device = Annotated[str | None, Parameter(metavar="DEVICE", help="cpu, cuda, cuda:1; default: a GPU if available")]
Json = Annotated[bool, Parameter(help="print one JSON document and nothing else to standard output")]
JsonFile = Annotated[  # an empty tuple stands for standard output
    tuple[Path, ...] | None,
    Parameter(
        consume_multiple=(0, 1),
        metavar="[FILE]",
        help="write the metrics as JSON; without FILE print them, and nothing else, to standard output",
    ),
]
Dataset = Annotated[Path, Parameter(metavar="DIR", help="a dataset's root, or the YAML file of your own data")]
Truth = Annotated[Path, Parameter(metavar="DIR", help="a folder with gt_*.json, or a dataset's root")]
TruthFiles = Annotated[
    Path | None,
    Parameter(metavar="DIR", help="a folder with gt_*.json; default: the dataset's annotation"),
]
Split = Annotated[str | None, Parameter(metavar="NAME", help="split of the dataset")]
Limit = Annotated[int | None, Parameter(metavar="N", help="only the first N; default: all")]
Processes = Annotated[int | None, Parameter(metavar="N", help="default: one per core")]
Level = Annotated[
    Literal["segment", "frame"] | None,
    RARE,
    Parameter(help="what gets one set of states: a segment, or a sampled frame with one clip; default: as trained"),
]


def exit_code(errors: Sequence[str | None]) -> int:
    """Return the exit code of a command with several results, from each result's error or None."""
    num_failed = sum(error is not None for error in errors)
    if num_failed == 0:
        return 0
    return EXIT_USER_ERROR if num_failed == len(errors) else EXIT_SOME_FAILED


def warn(message: str) -> None:
    """Print a warning to standard error, unless --quiet is given."""
    from actparse.core.progress import is_silent

    if not is_silent():
        print(f"actparse: warning: {message}", file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """Print the JSON document of a command, indented; a terminal that is not UTF-8 gets escapes."""
    is_utf8 = sys.stdout.encoding is not None and sys.stdout.encoding.lower().replace("-", "") == "utf8"
    print(json.dumps(document, indent=2, ensure_ascii=not is_utf8, allow_nan=False))


def write_or_print(text: str, target: JsonFile) -> bool:
    """Write the text of `--json [FILE]` to the requested file or to standard output.

    Returns:
        Whether it was printed to standard output, which must then contain nothing else.

    Raises:
        OutputError: the file cannot be written.
    """
    from actparse.core.files import write_text

    if target:
        write_text(target[0], text)
    elif target is not None:
        print(text)
    return target is not None and not target
