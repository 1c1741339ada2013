"""Faults of a dataset: one for each file or field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from actparse.core.words import listed

KINDS: dict[str, str] = {  # kind -> description in the summary
    "list": "list files that are missing or invalid",
    "no-annotation": "videos without annotation",
    "no-video": "annotations without a video",
    "odd-file": "files that do not belong where they are",
    "duplicate": "duplicate names, frames or contents",
    "json": "annotation files that are not JSON",
    "field": "fields that do not follow the format",
    "unknown-part": "body parts outside list/body_part.txt",
    "unknown-state": "states outside list/part_stat.txt",
    "unknown-object": "objects outside list/object.txt",
    "box-inverted": "boxes whose end is before their start",
    "box-empty": "boxes of zero area",
    "box-outside": "boxes that leave the image",
    "frame-missing": "videos with frames that lack an annotation",
    "frame-beyond": "annotations past the end of the video",
    "frame-count": "videos whose number of frames is not that of the list",
    "video-unreadable": "videos that cannot be opened, or have no frame that decodes",
    "video-damaged": "videos with frames that do not decode",
}


@dataclass(frozen=True)
class Fault:
    """`kind` is one of KINDS; `where` a file below the dataset's root, with the field in it if there is one."""

    kind: str
    where: str
    needs: str
    got: str

    @property
    def line(self) -> str:
        """Return the fault as one line of text; line breaks in file names are escaped."""
        text = f"{self.where}: needs {self.needs}, got {self.got}"
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def likewise(names: Iterable[str]) -> str:
    """Format the other places with the same fault, for appending to a fault's `got`; many are counted."""
    text = listed(tuple(names))
    return f", likewise {text}" if text else ""


@dataclass(frozen=True)
class FaultReport:
    """All faults of a dataset, and the number of items that were checked."""

    root: str
    looked_at: dict[str, dict[str, int]]  # split -> kind of item -> number of checked items
    is_decoded: bool  # whether the videos were decoded, too
    faults: tuple[Fault, ...]

    def counts(self) -> dict[str, int]:
        """Return the number of faults of each kind that occurs, in the order of KINDS."""
        counts = Counter(fault.kind for fault in self.faults)
        return {kind: counts[kind] for kind in KINDS if counts[kind]}

    def to_dict(self) -> dict[str, Any]:
        """Return the report with every fault, for JSON."""
        return {
            "root": self.root,
            "looked_at": self.looked_at,
            "videos_decoded": self.is_decoded,
            "counts": self.counts(),
            "faults": [vars(fault) for fault in self.faults],
        }

    def to_text(self, *, max_shown: int) -> str:
        """Return the report as text with at most `max_shown` faults of each kind."""
        lines = [
            f"{split}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
            for split, counts in self.looked_at.items()
        ]
        if not self.is_decoded:
            lines.append("videos were not decoded: their frames were not checked, nor whether boxes leave the image")
        for kind, count in self.counts().items():
            lines += ["", f"{kind}: {count} {KINDS[kind]}"]
            faults = [fault for fault in self.faults if fault.kind == kind]
            lines += [f"  {fault.line}" for fault in faults[:max_shown]]
            if count > max_shown:
                lines.append(f"  and {count - max_shown} more")
        total = len(self.faults)
        return "\n".join([*lines, "", f"{total} fault{'s' * (total != 1)}" if total else "nothing is wrong"])
