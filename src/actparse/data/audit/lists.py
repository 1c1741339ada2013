"""Files of list/, read leniently: the valid lines of a list, and its faults."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from actparse.data.annotation.csv_table import decoded
from actparse.data.annotation.faults import Fault
from actparse.data.kinetics_tps import VIDEO_SUFFIXES

FOLDER = "list"
BODY_PARTS, PART_STATES, OBJECTS = "body_part.txt", "part_stat.txt", "object.txt"
MAX_BYTES = 16 << 20
MAX_SHOWN = 80  # characters of an invalid line in a message


@dataclass(frozen=True)
class WordList:
    """The labels in a list; `words` is None if the file cannot be read."""

    where: str
    words: tuple[str, ...] | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class FrameList:
    """Number of frames of each video of a split, by name; empty if the file cannot be read."""

    where: str
    counts: dict[str, int]
    faults: tuple[Fault, ...]
    is_readable: bool


def read_word_list(root: Path, name: str) -> WordList:
    """Read a list with one label per line; empty lines are ignored."""
    where = f"{FOLDER}/{name}"
    text, faults = _read(root, where, "one label a line")
    if text is None:
        return WordList(where, None, tuple(faults))
    words = [line.strip() for line in text.splitlines() if line.strip()]
    if not words:
        faults.append(Fault("list", where, "one label a line", "an empty file"))
    duplicates = (word for word, count in Counter(words).items() if count > 1)
    faults += [Fault("list", where, "each label once", f"{word[:MAX_SHOWN]!r} twice") for word in duplicates]
    return WordList(where, tuple(dict.fromkeys(words)) if words else None, tuple(faults))


def read_frame_list(root: Path, split: str) -> FrameList:
    """Read a list with a video and its number of frames per line.

    A name may have a folder and a suffix; the first line may be a heading.
    """
    where = f"{FOLDER}/video_{split}_flist.csv"
    text, faults = _read(root, where, "each video's number of frames")
    counts: dict[str, int] = {}
    for line_number, line in enumerate((text or "").splitlines(), start=1):
        entry = _frame_entry(line)
        if entry is None:
            if line.strip() and line_number > 1:
                faults.append(Fault("list", f"{where}: line {line_number}", "a video,frames", repr(line[:MAX_SHOWN])))
        elif entry[0] in counts:
            faults.append(Fault("list", f"{where}: line {line_number}", "each video once", f"{entry[0]!r} again"))
        else:
            counts[entry[0]] = entry[1]
    return FrameList(where, counts, tuple(faults), text is not None)


def _frame_entry(line: str) -> tuple[str, int] | None:
    cells = [cell.strip().strip("\"'") for cell in re.split(r"[,;\t]", line)]
    if len(cells) == 1:
        cells = cells[0].rsplit(maxsplit=1)
    counts = [int(cell) for cell in cells[1:] if cell.isascii() and cell.isdigit() and len(cell) <= 9]
    name = cells[0].replace("\\", "/").rpartition("/")[2] if cells else ""
    for suffix in VIDEO_SUFFIXES:
        name = name.removesuffix(suffix)
    return (name, counts[0]) if name and counts else None


def _read(root: Path, where: str, needs: str) -> tuple[str | None, list[Fault]]:
    path = root / where
    if path.exists() and not path.is_file():
        return None, [Fault("list", where, needs, "no regular file")]
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return None, [Fault("list", where, needs, f"more than {MAX_BYTES >> 20} MB")]
        return decoded(content), []
    except FileNotFoundError:
        return None, [Fault("list", where, needs, "no file")]
    except OSError as error:
        return None, [Fault("list", where, needs, error.strerror or "an error of reading")]
    except UnicodeDecodeError as error:
        return None, [
            Fault("list", where, f"{needs}, in UTF-8 or UTF-16", f"byte {error.object[error.start]} at {error.start}")
        ]
