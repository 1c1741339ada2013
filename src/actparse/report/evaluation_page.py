"""The evaluation as one self-contained page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np

from actparse import __version__
from actparse.metrics.confusion import GroupConfusion
from actparse.metrics.outcomes import Outcome
from actparse.metrics.replacement import EXPLANATION, Stage
from actparse.report import charts
from actparse.report.evaluation import (
    CURVE_THRESHOLDS,
    KINDS,
    NUM_WORST,
    Comparison,
    Evaluation,
    RunFigures,
    VideoFigures,
    commonest_loss,
    largest_gain,
    verdict,
)
from actparse.report.evaluation_thumbnails import Pictures, thumbnail
from actparse.report.inline import asset, digest
from actparse.report.page import PAGE_FILE

LETTERS = ("A", "B")
MAX_STATES = 14  # states in a heat map; the table contains all
MAX_ERRORS = 3  # errors listed below a heat map
MAX_CHANGED = 10  # videos listed as better and as worse
SHOWN_THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Cell = str | float | int | None


def evaluation_page(evaluation: Evaluation, videos: Mapping[str, Path], path: Path) -> str:
    """Build the page as HTML.

    Args:
        evaluation: the metrics to show.
        videos: the available videos, by name; thumbnails are cut from them.
        path: path of the page, which links to report pages are relative to.
    """
    return _Page(evaluation, videos, path).html()


class _Page:
    """Builder of one page."""

    def __init__(self, evaluation: Evaluation, videos: Mapping[str, Path], path: Path) -> None:
        self.evaluation = evaluation
        self.runs = evaluation.runs
        self.letters = LETTERS[: len(self.runs)]
        self.pictures = Pictures(videos)
        self.has_videos = bool(videos)
        self.folder = path.resolve().parent

    def html(self) -> str:
        sections = [
            ("curve", "Accuracy over part state correctness", self._curve()),
            ("replaced", "One stage replaced by the truth", self._replaced()),
            ("outcomes", "Where parts are lost", self._outcomes()),
            *([("changes", "Videos that changed", self._changes(c))] if (c := self.evaluation.comparison) else []),
            ("sizes", "Boxes by size", self._sizes()),
            ("confusion", "States taken for each other", self._confusion()),
            ("worst", f"The worst {min(NUM_WORST, len(self.evaluation.truth.videos))} videos", self._worst()),
            ("videos", "All videos", self._all_videos()),
            ("notes", "How to read this, and what is not here", self._notes()),
        ]
        script = asset("evaluation.js")
        names = " and ".join(run.name for run in self.runs)
        return Template(asset("evaluation.html")).substitute(
            title=escape(f"Evaluation of {names}"),
            subtitle=escape(
                f"{len(self.evaluation.truth.videos)} videos of {self.evaluation.truth_name}, official rules of "
                f"Kinetics-TPS: person IoU above {self.evaluation.human_iou:g}, part IoU at least "
                f"{self.evaluation.part_iou:g}."
            ),
            style=asset("base.css") + asset("evaluation.css"),
            script=script,
            script_digest=digest(script),
            summary=self._summary(),
            navigation="".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title, _ in sections),
            sections="\n".join(_section(*section) for section in sections),
            version=escape(__version__),
        )

    def _label(self, index: int) -> str:
        """Return a run's letter and name; only the name if there is a single run."""
        name = self.runs[index].name
        return f"{self.letters[index]} {name}" if len(self.runs) > 1 else name

    def _labels(self) -> list[str]:
        return [self._label(index) for index in range(len(self.runs))]

    def _legend(self) -> str:
        if len(self.runs) < 2:
            return ""
        items = (
            f'<li><span class="swatch series-{n}"></span>{escape(name)}</li>'
            for n, name in enumerate(self._labels(), 1)
        )
        return f'<ul class="legend">{"".join(items)}</ul>'

    def _summary(self) -> str:
        tiles = [
            ("ROC score", [f"{run.score.roc_score:.4f}" for run in self.runs], [_interval(run) for run in self.runs]),
            ("Video accuracy", [f"{run.score.video_accuracy:.1%}" for run in self.runs], [""] * len(self.runs)),
            ("Mean part state correctness", [f"{r.mean_correctness:.1%}" for r in self.runs], [""] * len(self.runs)),
        ]
        panels = []
        for title, values, notes in tiles:
            rows = "".join(
                f'<p class="figure">{self._badge(index)}<b>{value}</b> <span class="soft">{note}</span></p>'
                for index, (value, note) in enumerate(zip(values, notes, strict=True))
            )
            panels.append(f'<div class="panel tile"><h2>{title}</h2>{rows}</div>')
        findings = "".join(f"<li>{sentence}</li>" for sentence in self._findings())
        return f'{self._legend()}<div class="tiles">{"".join(panels)}</div><ul class="findings">{findings}</ul>'

    def _badge(self, index: int) -> str:
        return f'<span class="badge series-{index + 1}">{self.letters[index]}</span> ' if len(self.runs) > 1 else ""

    def _findings(self) -> list[str]:
        sentences = [escape(verdict(self.evaluation.comparison, *self.letters))] if self.evaluation.comparison else []
        for index, run in enumerate(self.runs):
            stage, gain = largest_gain(run)
            score = run.replaced[Stage.NOTHING].roc_score
            text = f"{self._badge(index)}With {stage.value} it would score {score + gain:.3f} instead of {score:.3f}"
            text += ": no other stage costs as much." if gain > 0 else ": no stage alone costs anything."
            if loss := commonest_loss(run):
                text += f" Most parts that do not count are lost to: {loss[0].value} ({loss[1]:.0%} of all parts)."
            sentences.append(text)
        return sentences

    def _curve(self) -> str:
        lines = [(label, run.curve()) for label, run in zip(self._labels(), self.runs, strict=True)]
        chart = charts.line_chart(
            CURVE_THRESHOLDS,
            lines,
            x_label="threshold of part state correctness",
            y_label="accuracy",
            label="Accuracy over the threshold of part state correctness; numbers in the table below",
        )
        rows: list[list[Cell]] = [
            [f"{t:.1f}", *(run.score.accuracy_at(t) for run in self.runs)] for t in SHOWN_THRESHOLDS
        ]
        return (
            "<p>A video counts at a threshold if its action is right and at least that share of its parts is. "
            "The ROC score is the area under the curve.</p>"
            f'<div class="panel chart-panel">{self._legend()}{chart}'
            f'<p class="readout soft" data-readout aria-hidden="true">Point at the curve to read it.</p></div>'
            + _details(_table(["threshold", *self._labels()], rows, "Accuracy at each threshold", _share))
        )

    def _replaced(self) -> str:
        rows = [charts.Bars(stage.value, [run.replaced[stage].roc_score for run in self.runs]) for stage in Stage]
        chart = charts.bar_chart(
            rows,
            maximum=1.0,
            label="ROC score as predicted and with each stage replaced by the truth; numbers in the table below",
            number=lambda value: f"{value:.3f}",
            letters=self.letters,
        )
        cells: list[list[Cell]] = [
            [stage.value, EXPLANATION[stage], *(run.replaced[stage].roc_score for run in self.runs)] for stage in Stage
        ]
        return (
            "<p>The predictions with one thing taken from the truth, scored again. No network runs: this is what a "
            "perfect stage would add if the stages after it stayed as they are.</p>"
            f'<div class="panel chart-panel">{self._legend()}{chart}</div>'
            + _details(_table(["truth for", "which means", *self._labels()], cells, "ROC score", _four_decimals))
        )

    def _outcomes(self) -> str:
        shares_of_groups = [shares for run in self.runs for shares in run.outcomes.values()]
        kinds = [o.value for o in Outcome if any(shares[o.value] > 0 for shares in shares_of_groups)]
        groups = list(self.runs[0].outcomes)
        kind_indices = {outcome.value: index for index, outcome in enumerate(Outcome, start=1)}
        rows = [
            (
                group,
                [
                    charts.Stack(letter, [run.outcomes[group][outcome.value] for outcome in Outcome])
                    for letter, run in zip(self.letters, self.runs, strict=True)
                ],
            )
            for group in groups
        ]
        chart = charts.stacked_bars(
            rows,
            [outcome.value for outcome in Outcome],
            label="What became of the annotated parts, by group; numbers in the table below",
        )
        legend = "".join(
            f'<li><span class="swatch kind-{kind_indices[kind]}"></span>{escape(kind)}</li>' for kind in kinds
        )
        cells: list[list[Cell]] = [
            [group, label, *(run.outcomes[group][kind] for kind in kinds)]
            for group in groups
            for label, run in zip(self._labels(), self.runs, strict=True)
        ]
        return (
            "<p>Each annotated part goes to the first thing that went wrong with it.</p>"
            f'<div class="panel chart-panel wide"><ul class="legend">{legend}</ul>{chart}</div>'
            + _details(_table(["group", "run", *kinds], cells, "Share of the group's annotated parts", _share))
        )

    def _sizes(self) -> str:
        blocks = "".join(self._sizes_of(kind) for kind in KINDS)
        return (
            "<p>Small, medium and large are COCO's: an area of the true box below 32², below 96², and from there on, "
            "in pixels of the video. Average precision is over the whole picture, IoU .50 to .95.</p>"
            f'<div class="columns">{blocks}</div>'
        )

    def _sizes_of(self, kind: str) -> str:
        ranked = any(run.run.boxes is not None for run in self.runs)
        sizes = [size for size in self.runs[0].sizes[kind] if self.runs[0].sizes[kind][size].num_true]
        threshold = self.evaluation.human_iou if kind == "persons" else self.evaluation.part_iou
        detected = charts.bar_chart(
            [charts.Bars(self._size_label(kind, s), [run.sizes[kind][s].found for run in self.runs]) for s in sizes],
            maximum=1.0,
            label=f"Share of {kind} found, by size; numbers in the table below",
            number=lambda value: f"{value:.1%}",
            letters=self.letters,
        )
        precision = charts.bar_chart(
            [charts.Bars(self._size_label(kind, s), [run.sizes[kind][s].ap for run in self.runs]) for s in sizes],
            maximum=100.0,
            label=f"Average precision of {kind}, by size; numbers in the table below",
            number=lambda value: f"{value:.1f}",
            letters=self.letters,
        )
        rows: list[list[Cell]] = [
            [size, label, values.num_true, _percent(values.found), _point(values.ap), _point(values.ap50)]
            for size in self.runs[0].sizes[kind]
            for label, values in zip(self._labels(), (run.sizes[kind][size] for run in self.runs), strict=True)
        ]
        body = f"<h4>Found at IoU {threshold:g}</h4>{detected}"
        if ranked:
            body = f"<h4>Average precision, %</h4>{precision}" + body
        head = ["size", "run", "true boxes", "found", "AP", "AP50"]
        return (
            f'<div><div class="panel chart-panel"><h3>{kind.capitalize()}</h3>{self._legend()}{body}</div>'
            + _details(_table(head, rows, f"{kind.capitalize()} by size", str))
            + "</div>"
        )

    def _size_label(self, kind: str, size: str) -> str:
        return f"{size}, {self.runs[0].sizes[kind][size].num_true:,} boxes"

    def _confusion(self) -> str:
        groups = list(self.runs[0].confusions)
        blocks = "".join(
            f'<div class="group"><h3>{group.capitalize()}</h3><div class="columns">'
            + "".join(self._confusion_of(n, run, group) for n, run in enumerate(self.runs) if group in run.confusions)
            + "</div></div>"
            for group in groups
        )
        return (
            "<p>Parts of persons that were found, whatever their box: true states in rows, predicted ones in columns, "
            "percent of the row. Paired parts count side by side; where the two sides of a person differ in truth, the "
            "last line says how often they are exchanged.</p>"
            f"{blocks}"
        )

    def _confusion_of(self, index: int, run: RunFigures, group: str) -> str:
        confusion = run.confusions[group]
        states = confusion.states[:MAX_STATES]
        name = f"{group}, {self._label(index)}"
        chart = charts.heat_map(
            states,
            states,
            confusion.counts[: len(states), : len(states)],
            series=index + 1,
            label=f"States of {name}: true in rows, predicted in columns; numbers in the table below",
        )
        right = float(np.trace(confusion.counts))
        total = float(confusion.counts.sum() + confusion.not_proposed.sum())
        items = [f"{right / total:.1%} of {total:,.0f} states right"]
        items += [
            f"{escape(true)} taken for {escape(other)}: {count:,.0f} time{'s' * (count != 1)}"
            for true, other, count in confusion.commonest_errors()[:MAX_ERRORS]
        ]
        if swaps := run.swaps.get(group):
            share = f" ({swaps.num_swapped / swaps.num_tellable:.1%})" if swaps.num_tellable else ""
            items.append(f"left and right exchanged: {swaps.num_swapped:,} of {swaps.num_tellable:,} persons{share}")
        title = f"<h4>{self._badge(index)}{escape(run.name)}</h4>" if len(self.runs) > 1 else ""
        region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(f"Confusion of {name}")}">'
        return (
            f'<div class="panel">{title}{region}{chart}</div>'
            f'<ul class="plain">{"".join(f"<li>{item}</li>" for item in items)}</ul>'
            + _details(
                _table(["true", "predicted", "count", "of the true"], _pairs(confusion), f"States of {name}", str)
            )
            + "</div>"
        )

    def _changes(self, comparison: Comparison) -> str:
        ordered = sorted(comparison.differences.items(), key=lambda row: (-row[1], row[0]))
        better, worse = comparison.better(), comparison.worse()
        same = len(ordered) - len(better) - len(worse)
        chart = charts.difference_bars(
            ordered, label="What each video adds to the score, B less A, from the best to the worst"
        )
        return (
            f"<p>{len(better)} videos are better in B, {len(worse)} are worse, {same} are the same. A video adds to "
            "the score its part state correctness if its action is right, else nothing.</p>"
            f'<div class="columns"><div class="panel chart-panel">{chart}</div>'
            + self._list_changes("Better in B", better[:MAX_CHANGED])
            + self._list_changes("Worse in B", worse[:MAX_CHANGED])
            + "</div>"
        )

    def _list_changes(self, title: str, rows: Sequence[tuple[str, float]]) -> str:
        first, second = self.runs
        items = "".join(
            f"<li><b>{_signed(difference)}</b> {escape(name)} {self._links(name)}"
            f"<br>{_change(first.videos[name], second.videos[name])}</li>"
            for name, difference in rows
        )
        body = f'<ol class="changed">{items}</ol>' if rows else "<p>None.</p>"
        return f'<div class="panel"><h3>{title}</h3>{body}</div>'

    def _links(self, video: str) -> str:
        """Return links to the report pages of a video, one for each run."""
        links = [
            f'<a href="{escape(link)}">report{f" {letter}" if len(self.runs) > 1 else ""}'
            f'<span class="visually-hidden"> of {escape(video)}</span></a>'
            for letter, run in zip(self.letters, self.runs, strict=True)
            if (link := self._link(run, video))
        ]
        return " ".join(links)

    def _link(self, run: RunFigures, video: str) -> str | None:
        report = _report(run, video)
        return quote(Path(os.path.relpath(report.resolve(), self.folder)).as_posix()) if report else None

    def _worst(self) -> str:
        key = (
            '<ul class="legend"><li><span class="swatch line true"></span>person, truth</li>'
            '<li><span class="swatch line predicted"></span>person, predicted</li>'
            '<li><span class="swatch line wrong"></span>part that does not count (true box)</li></ul>'
        )
        intro = (
            "<p>The videos that add least to the score; among those of a wrong action, the least correct parts first. "
            "The picture is the frame whose parts are least right.</p>"
        )
        return intro + (key if self.has_videos else "") + "".join(self._worst_of(n) for n in range(len(self.runs)))

    def _worst_of(self, index: int) -> str:
        run = self.runs[index]
        cards = "".join(f"<li>{self._card(index, video)}</li>" for video in run.worst())
        title = f"<h3>{self._badge(index)}{escape(run.name)}</h3>" if len(self.runs) > 1 else ""
        return f'{title}<ol class="cards">{cards}</ol>'

    def _card(self, index: int, video: VideoFigures) -> str:
        run = self.runs[index]
        picture = self.pictures.frame(video.name, video.worst_frame) if video.worst_frame else None
        image = thumbnail(picture, self.evaluation.truth, run, video) if picture else _no_picture(video)
        link = self._link(run, video.name)
        name = f'<a href="{escape(link)}">{escape(video.name)}</a>' if link else escape(video.name)
        action = _action(video)
        other = ""
        if len(self.runs) > 1:
            rest = self.runs[1 - index].videos[video.name]
            other = f'<p class="soft">in {self.letters[1 - index]}: {rest.correctness:.0%}, {_action(rest)}</p>'
        return (
            f'<article class="panel card">{image}<h4>{name}</h4><p>{action}</p>'
            f"<p><b>{video.correctness:.0%}</b> of the parts right. {_losses(video)}</p>{other}</article>"
        )

    def _all_videos(self) -> str:
        head = [("video", ""), ("true action", "")]
        for letter in self.letters:
            suffix = f" {letter}" if len(self.runs) > 1 else ""
            head += [(f"action{suffix}", ""), (f"parts right{suffix}", "number"), (f"adds{suffix}", "number")]
        if self.evaluation.comparison:
            head.append(("B less A", "number"))
        columns = "".join(
            f'<th scope="col" class="{css}"><button type="button" data-sort="{column}">{escape(name)}</button></th>'
            for column, (name, css) in enumerate(head)
        )
        rows = "".join(self._video_row(name) for name in self.evaluation.truth.videos)
        return (
            '<div class="controls"><label>Filter <input type="search" data-filter="all-videos" '
            'placeholder="name or action"></label><label><input type="checkbox" data-wrong="all-videos"> '
            'wrong action alone</label><span class="soft" role="status" data-count="all-videos"></span></div>'
            f'<div class="panel">{_open_scroll_region("All videos", tall=True)}<table id="all-videos">'
            f"<thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div></div>"
        )

    def _video_row(self, name: str) -> str:
        videos = [run.videos[name] for run in self.runs]
        links = self._links(name)
        cells = [f'<th scope="row">{escape(name)} {links}</th>', f"<td>{escape(videos[0].true_action)}</td>"]
        for video in videos:
            mark = "" if video.right_action else ' class="bad"'
            action = escape(video.action) if video.right_action else f"✗ {escape(video.action)}"
            cells.append(f"<td{mark}>{action}</td>")
            cells.append(f'<td class="number">{video.correctness:.3f}</td><td class="number">{video.gain:.3f}</td>')
        if self.evaluation.comparison:
            cells.append(f'<td class="number">{_signed(self.evaluation.comparison.differences[name])}</td>')
        wrong = not all(video.right_action for video in videos)
        return f"<tr{' data-wrong-action' if wrong else ''}>{''.join(cells)}</tr>"

    def _notes(self) -> str:
        notes = [
            "Part state correctness of a video: over its annotated frames the mean of the share of annotated parts "
            "whose person was found, whose box overlaps enough and whose state is right. Several proposals for a part "
            "share its point.",
            "Intervals hold the middle 95 % of 10,000 draws of the videos with replacement; for two runs the same "
            "videos are drawn for both.",
            *self.evaluation.not_computed(),
            *self._missing(),
        ]
        return f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>'

    def _missing(self) -> list[str]:
        notes = []
        if not self.has_videos:
            notes.append("Thumbnails: there are no videos beside the truth; --videos DIR names their folder.")
        for label, run in zip(self._labels(), self.runs, strict=True):
            with_report = sum(_report(run, name) is not None for name in self.evaluation.truth.videos)
            if with_report < len(self.evaluation.truth.videos):
                why = "its folder holds" if run.run.folders else "only a folder of parses can hold them, and it has"
                notes.append(
                    f"Links to report pages of {label}: {why} report.html for {with_report} of "
                    f"{len(self.evaluation.truth.videos)} videos."
                )
        return notes


def _report(run: RunFigures, video: str) -> Path | None:
    """Return the report page of a video, or None."""
    folder = run.run.folders.get(video)
    return folder / PAGE_FILE if folder is not None and (folder / PAGE_FILE).is_file() else None


def _section(key: str, title: str, body: str) -> str:
    return (
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{escape(title)}</h2>{body}</section>'
    )


def _interval(run: RunFigures) -> str:
    return f"95 % interval {run.interval.low:.3f} to {run.interval.high:.3f}"


def _action(video: VideoFigures) -> str:
    if video.right_action:
        return f'<span class="good">✓ {escape(video.action)}</span>'
    return f'<span class="bad">✗ {escape(video.action)}</span>, truth {escape(video.true_action)}'


def _losses(video: VideoFigures) -> str:
    lost = [(kind, share) for kind, share in video.outcomes.items() if kind != Outcome.RIGHT.value and share >= 0.005]
    lost.sort(key=lambda row: -row[1])
    return "Lost: " + ", ".join(f"{kind} {share:.0%}" for kind, share in lost) + "." if lost else ""


def _change(first: VideoFigures, second: VideoFigures) -> str:
    parts = f"parts right {first.correctness:.0%} → {second.correctness:.0%}"
    if first.action == second.action:
        return f"{_action(second)}; {parts}"
    return f"{_action(first)} → {_action(second)}; {parts}"


def _no_picture(video: VideoFigures) -> str:
    why = "no picture of this frame at hand" if video.worst_frame else "no annotated part"
    return f'<p class="no-picture soft">{why}</p>'


def _pairs(confusion: GroupConfusion) -> list[list[Cell]]:
    """Return a row for every pair of states that occurs, sorted by count."""
    totals = confusion.counts.sum(axis=1) + confusion.not_proposed
    rows: list[tuple[float, list[Cell]]] = []
    for i, true in enumerate(confusion.states):
        pairs = [
            *zip(confusion.states, confusion.counts[i], strict=True),
            ("(none proposed)", confusion.not_proposed[i]),
        ]
        for other, count in pairs:
            if count > 0:
                rows.append((count, [true, other, f"{count:,.0f}", f"{count / totals[i]:.1%}"]))
    return [cells for _, cells in sorted(rows, key=lambda row: -row[0])]


def _details(table: str) -> str:
    return f"<details><summary>Data as a table</summary>{table}</details>"


def _open_scroll_region(label: str, *, tall: bool = False) -> str:
    css = "scroll tall" if tall else "scroll"
    return f'<div class="{css}" tabindex="0" role="region" aria-label="{escape(label)}">'


def _table(
    head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str, format_float: Callable[[float], str]
) -> str:
    """Format a table; floats are formatted by `format_float`, None as "none"."""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(_cell(n, value, format_float) for n, value in enumerate(row))}</tr>" for row in rows)
    return (
        f"{_open_scroll_region(caption)}<table><caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(column: int, value: Cell, format_float: Callable[[float], str]) -> str:
    text = "none" if value is None else format_float(value) if isinstance(value, float) else str(value)
    if column == 0:
        return f'<th scope="row">{escape(text)}</th>'
    return f'<td class="number">{text}</td>' if not isinstance(value, str) else f"<td>{escape(text)}</td>"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _four_decimals(value: float) -> str:
    return f"{value:.4f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}" if value else "0"


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def _point(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"
