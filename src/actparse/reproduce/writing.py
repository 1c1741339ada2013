"""A table as Markdown, JSON and a picture, with the paper's values beside ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import mean
from typing import Any

from actparse.core.files import write_text
from actparse.core.vocabulary import GROUPS

NAMES = {  # printed names of metrics, in the order of the columns
    "video_accuracy": "video accuracy",
    "roc_score": "ROC score",
    "ap": "AP",
    "ap50": "AP50",
    **{group: group for group in GROUPS},
    "giga_macs": "G MAC",
    "compute_share": "computing, % of frames",
}
TITLES = {
    "table1": "Table I: methods",
    "table2": "Table II: the pose's part in finding boxes",
    "table3": "Table III: states of frames and of segments",
}
COLUMNS = {
    "table1": ("video_accuracy", "roc_score"),
    "table2": ("ap", "ap50"),
    "table3": (*GROUPS, "giga_macs", "compute_share"),
}
NOTES = {
    "table1": "Percent, by the official rules.",
    "table2": "Percent. Persons in whole frames; parts in true person boxes, with poses found in them.",
    "table3": "Accuracy of the states of all annotated parts in percent, by group; G MAC of the six state networks for "
    "10 s of video, and that against the row of frames; the paper's shares are of its 36.12, 11.50 and 3.482 TFLOPs.",
}
STARTS = {  # initialisation of ip-CSN
    "table1": "ip-CSN pre-trained on {} and fine-tuned among them",
    "table3": "all from Table I's ip-CSN, which was pre-trained on {}",
}
PAPER_COLOR, OUR_COLOR = "#9a9a9a", "#2467a8"
BAR_HEIGHT, GROUP_GAP, LABEL_WIDTH, CHART_WIDTH, TOP = 13, 10, 260, 420, 64


@dataclass(frozen=True)
class Row:
    """A method's metrics for every seed, and the paper's values."""

    name: str
    paper: Mapping[str, float]
    seeds: tuple[Mapping[str, float], ...]

    def values(self, metric: str) -> list[float]:
        """Return a metric's value for every seed; empty if the method does not have the metric."""
        values = [metrics[metric] for metrics in self.seeds if metric in metrics]
        return [value for value in values if not math.isnan(value)]


@dataclass(frozen=True)
class Table:
    """One of the paper's tables, measured on a dataset."""

    name: str  # "table1", "table2" or "table3"
    size: str
    dataset: str
    length: str  # length of every training, in words
    num_videos: int  # videos measured on
    seed_numbers: tuple[int, ...]
    rows: tuple[Row, ...]
    num_rendered_clips: int = 0  # rendered clips in ip-CSN's training, in addition to the dataset; 0 in Table II

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: every seed, mean, lowest and highest."""
        return {
            "table": self.name,
            "size": self.size,
            "dataset": self.dataset,
            "length": self.length,
            "videos": self.num_videos,
            "seeds": list(self.seed_numbers),
            "rendered_clips": self.num_rendered_clips,
            "rows": [
                {
                    "method": row.name,
                    "paper": dict(row.paper),
                    "figures": {metric: _summary(row.values(metric)) for metric in COLUMNS[self.name]},
                }
                for row in self.rows
            ],
        }

    def to_markdown(self) -> str:
        """Format the table in Markdown; a cell is the mean over seeds and, for several, the lowest and the highest."""
        columns, clips = COLUMNS[self.name], self.num_rendered_clips
        start = STARTS[self.name].format(f"{clips:,} rendered clips") + ", " if clips else ""
        heads = [text for c in columns for text in (NAMES[c], *(("paper",) if self._is_printed(c) else ()))]
        lines = [
            f"## {TITLES[self.name]}",
            "",
            f"Size {self.size}, {self.length} for each training, {start}{self.dataset}, {self.num_videos} held-out "
            f"videos, seeds {', '.join(map(str, self.seed_numbers))}. {NOTES[self.name]}",
            "",
            f"| method | {' | '.join(heads)} |",
            "|---|" + "---|" * len(heads),
        ]
        lines += [f"| {row.name} | {' | '.join(self._cells(row))} |" for row in self.rows]
        return "\n".join(lines) + "\n"

    def _is_printed(self, metric: str) -> bool:
        return any(metric in row.paper for row in self.rows)

    def _cells(self, row: Row) -> list[str]:
        cells = []
        for metric in COLUMNS[self.name]:
            cells.append(_cell(row.values(metric)))
            if self._is_printed(metric):
                cells.append(f"{row.paper[metric]:.2f}" if metric in row.paper else "-")
        return cells

    def to_svg(self) -> str:
        """Draw a bar for each of the paper's values, and one for ours with its range; lengths are percent."""
        marks, y = [], float(TOP)
        for row in self.rows:
            for metric in (c for c in COLUMNS[self.name] if c in row.paper):
                marks += _bars(f"{row.name}, {NAMES[metric]}", row.values(metric), row.paper[metric], y)
                y += 2 * BAR_HEIGHT + GROUP_GAP
        width = LABEL_WIDTH + CHART_WIDTH + 120
        head = [
            f'<rect width="{width}" height="{y:g}" fill="#ffffff"/>',
            f'<text x="16" y="26" font-size="16" font-weight="600">{escape(TITLES[self.name])}</text>',
            f'<text x="16" y="46" fill="{OUR_COLOR}">this run: {escape(self.size)}, {escape(self.dataset)}</text>',
            f'<text x="{LABEL_WIDTH}" y="46" fill="#6b6b6b">the paper: full size, Kinetics-TPS</text>',
        ]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y:g}" '
            f'font-family="system-ui, sans-serif" font-size="12" fill="#222222">{"".join(head + marks)}</svg>\n'
        )


def _summary(values: list[float]) -> dict[str, Any]:
    if not values:
        return {"by_seed": [], "mean": None, "lowest": None, "highest": None}
    return {"by_seed": values, "mean": mean(values), "lowest": min(values), "highest": max(values)}


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    lowest, highest = f"{min(values):.2f}", f"{max(values):.2f}"
    return f"{mean(values):.2f}" + (f" ({lowest}-{highest})" if lowest != highest else "")


def _bars(label: str, ours: list[float], paper: float, y: float) -> list[str]:
    middle = y + BAR_HEIGHT + 4
    marks = [f'<text x="{LABEL_WIDTH - 10}" y="{middle:g}" text-anchor="end">{escape(label)}</text>']
    for value, color, top in ((mean(ours) if ours else None, OUR_COLOR, y), (paper, PAPER_COLOR, y + BAR_HEIGHT)):
        if value is None:
            continue
        length = CHART_WIDTH * value / 100
        text_x = LABEL_WIDTH + length + 6
        if color == OUR_COLOR and len(ours) > 1:
            low, high = (LABEL_WIDTH + CHART_WIDTH * end / 100 for end in (min(ours), max(ours)))
            across = top + (BAR_HEIGHT - 2) / 2
            marks.append(f'<path d="M{low:.1f} {across:g}H{high:.1f}" stroke="#111111" stroke-width="1.5"/>')
            text_x = max(text_x, high + 6)
        marks.insert(
            1, f'<rect x="{LABEL_WIDTH}" y="{top:g}" width="{length:.1f}" height="{BAR_HEIGHT - 2}" fill="{color}"/>'
        )
        marks.append(f'<text x="{text_x:.1f}" y="{top + 10:g}">{value:.1f}</text>')
    return marks


def write_table(table: Table, out: Path) -> None:
    """Write NAME.md, NAME.json and NAME.svg.

    Raises:
        OutputError: one cannot be written.
    """
    write_text(out / f"{table.name}.json", json.dumps(table.to_dict(), indent=1) + "\n")
    write_text(out / f"{table.name}.md", table.to_markdown())
    write_text(out / f"{table.name}.svg", table.to_svg())
