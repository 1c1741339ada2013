"""What is wrong with a dataset: one fault for each file or field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KINDS: dict[str, str] = {  # kind -> what the summary calls it
    "list": "list files that are missing or odd",
    "no-annotation": "videos without annotation",
    "no-video": "annotations without a video",
    "odd-file": "files that do not belong where they are",
    "duplicate": "names, frames or contents that stand twice",
    "json": "annotation files that are no JSON",
    "field": "fields that are not of the format's form",
    "unknown-part": "body parts outside list/body_part.txt",
    "unknown-state": "states outside list/part_stat.txt",
    "unknown-object": "objects outside list/object.txt",
    "box-inverted": "boxes whose end lies before their start",
    "box-empty": "boxes of zero area",
    "box-outside": "boxes that leave the image",
    "frame-missing": "videos with frames that lack an annotation",
    "frame-beyond": "annotations past the end of the video",
    "frame-count": "videos whose number of frames is not that of the list",
    "video-unreadable": "videos that cannot be opened, or hold no frame that decodes",
    "video-damaged": "videos with places that do not decode",
}


@dataclass(frozen=True)
class Fault:
    """`kind` is one of KINDS; `where` a file below the dataset's root, and a field of it where there is one."""

    kind: str
    where: str
    needs: str
    got: str

    @property
    def line(self) -> str:
        """All of it for a person; line breaks of odd names do not break it."""
        text = f"{self.where}: needs {self.needs}, got {self.got}"
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def likewise(names: Iterable[str]) -> str:
    """What else is wrong in the same way, to stand behind a fault's `got`."""
    listed = ", ".join(names)
    return f", likewise {listed}" if listed else ""


@dataclass(frozen=True)
class FaultReport:
    """All that was found in a dataset, and how much was looked at."""

    root: str
    looked_at: dict[str, dict[str, int]]  # split -> what -> how many
    is_decoded: bool  # whether the videos were decoded too
    faults: tuple[Fault, ...]

    def counts(self) -> dict[str, int]:
        """Faults of each kind that there is, in the order of KINDS."""
        counts = Counter(fault.kind for fault in self.faults)
        return {kind: counts[kind] for kind in KINDS if counts[kind]}

    def to_dict(self) -> dict[str, Any]:
        """Every fault; for JSON."""
        return {
            "root": self.root,
            "looked_at": self.looked_at,
            "videos_decoded": self.is_decoded,
            "counts": self.counts(),
            "faults": [vars(fault) for fault in self.faults],
        }

    def to_text(self, *, max_shown: int) -> str:
        """For a person: at most `max_shown` faults of each kind."""
        lines = [
            f"{split}: " + ", ".join(f"{number} {what}" for what, number in counts.items())
            for split, counts in self.looked_at.items()
        ]
        if not self.is_decoded:
            lines.append("videos were not decoded: their frames and the boxes' place in the image are not known")
        for kind, count in self.counts().items():
            lines += ["", f"{kind}: {count} {KINDS[kind]}"]
            of_kind = [fault for fault in self.faults if fault.kind == kind]
            lines += [f"  {fault.line}" for fault in of_kind[:max_shown]]
            if count > max_shown:
                lines.append(f"  and {count - max_shown} more")
        number = len(self.faults)
        return "\n".join([*lines, "", f"{number} fault{'s' * (number != 1)}" if number else "nothing is wrong"])
