"""A table as Markdown, JSON and a picture, with the paper's values beside ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from actparse.core.files import write_text
from actparse.core.vocabulary import GROUPS
from actparse.inspection.compute import TABLE_3_CROP
from actparse.report.charts import Bars, bar_figure
from actparse.report.templating import render
from actparse.reproduce.computing import GIGA_MACS, GIGA_MACS_IN_CROPS

NAMES = {  # printed names of metrics, in the order of the columns
    "video_accuracy": "video accuracy",
    "roc_score": "ROC score",
    "ap": "AP",
    "ap50": "AP50",
    **{group: group for group in GROUPS},
    GIGA_MACS: "G MAC",
    GIGA_MACS_IN_CROPS: f"G MAC in crops of {TABLE_3_CROP}",
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
    "table3": (*GROUPS, GIGA_MACS, GIGA_MACS_IN_CROPS, "compute_share"),
}
NOTES = {
    "table1": "Percent, by the official rules.",
    "table2": "Percent. Persons in whole frames; parts in true person boxes, with poses found in them.",
    "table3": "Accuracy of the states of all annotated parts in percent, by group; G MAC of the six state networks for "
    "10 s of video of 320x240, on the frames that they see, and that against the row of frames; the paper's shares are "
    "of its 36.12, 11.50 and 3.482 TFLOPs.",
}
STARTS = {  # initialisation of ip-CSN, from rendered clips or a network
    "table1": ("ip-CSN pre-trained on {} and fine-tuned among them", "ip-CSN starts from {}, fine-tuned among {}"),
    "table3": (
        "all from Table I's ip-CSN, which was pre-trained on {}",
        "all from Table I's ip-CSN, which started from {}",
    ),
}


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
    initial: str = ""  # name of the bundle whose action network ip-CSN started from; "": it was pre-trained

    @property
    def columns(self) -> tuple[str, ...]:
        """The metrics of the table; the computing in crops only if it was counted."""
        counts_crops = any(row.values(GIGA_MACS_IN_CROPS) for row in self.rows)
        return tuple(metric for metric in COLUMNS[self.name] if counts_crops or metric != GIGA_MACS_IN_CROPS)

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
            "initial": self.initial,
            "rows": [
                {
                    "method": row.name,
                    "paper": dict(row.paper),
                    "figures": {metric: _summary(row.values(metric)) for metric in self.columns},
                }
                for row in self.rows
            ],
        }

    def to_markdown(self) -> str:
        """Format the table in Markdown; a cell is the mean over seeds and, for several, the lowest and the highest."""
        columns = self.columns
        description = (
            f"Size {self.size}, {self.length} for each training, {self._start}{self.dataset}, {self.num_videos} "
            f"held-out videos, seeds {', '.join(map(str, self.seed_numbers))}. {NOTES[self.name]}"
        )
        heads = [text for c in columns for text in (NAMES[c], *(("paper",) if self._is_printed(c) else ()))]
        rows = [(row.name, self._cells(row)) for row in self.rows]
        values = {"title": TITLES[self.name], "description": description, "heads": heads, "rows": rows}
        return render("table.md", values)

    @property
    def _start(self) -> str:
        """What ip-CSN started from, in words with a comma; empty in Table II and without rendered clips."""
        clips = [f"{self.num_rendered_clips:,} rendered clips"] if self.num_rendered_clips else []
        if self.name not in STARTS or not (self.initial or clips):
            return ""
        pretrained, given = STARTS[self.name]
        if not self.initial:
            return f"{pretrained.format(*clips)}, "
        return f"{given.format(f'the action network of {self.initial}', *(clips or ['the videos']))}, "

    def _is_printed(self, metric: str) -> bool:
        return any(metric in row.paper for row in self.rows)

    def _cells(self, row: Row) -> list[str]:
        cells = []
        for metric in self.columns:
            cells.append(_cell(row.values(metric)))
            if self._is_printed(metric):
                cells.append(f"{row.paper[metric]:.2f}" if metric in row.paper else "-")
        return cells

    def to_svg(self) -> str:
        """Draw a bar for ours and one for each of the paper's values, in percent, with the range over seeds."""
        bars = []
        for row in self.rows:
            for metric in (metric for metric in self.columns if metric in row.paper):
                ours = row.values(metric)
                values = (mean(ours) if ours else None, row.paper[metric])
                seeds = (min(ours), max(ours)) if len(ours) > 1 else None
                bars.append(Bars(f"{row.name}, {NAMES[metric]}", values, (seeds, None)))
        return bar_figure(
            bars,
            maximum=100.0,
            title=TITLES[self.name],
            format_value="{:.1f}".format,
            series=(f"this run: {self.size}, {self.dataset}", "the paper: full size, Kinetics-TPS"),
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


def write_table(table: Table, out: Path) -> None:
    """Write NAME.md, NAME.json and NAME.svg.

    Raises:
        OutputError: one cannot be written.
    """
    write_text(out / f"{table.name}.json", json.dumps(table.to_dict(), indent=1) + "\n")
    write_text(out / f"{table.name}.md", table.to_markdown())
    write_text(out / f"{table.name}.svg", table.to_svg())
