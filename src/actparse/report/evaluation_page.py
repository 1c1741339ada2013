"""The evaluation as one self-contained page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from actparse.metrics.outcomes import Outcome
from actparse.metrics.replacement import Stage
from actparse.report import charts
from actparse.report.evaluation import (
    KINDS,
    Evaluation,
    RunFigures,
    VideoFigures,
    commonest_loss,
    largest_gain,
    verdict,
)
from actparse.report.evaluation_charts import ShownRun, confusion, curve, outcomes, replaced, sizes
from actparse.report.evaluation_thumbnails import Pictures, thumbnail
from actparse.report.page import PAGE_FILE
from actparse.report.templating import render

LETTERS = ("A", "B")
MAX_CHANGED = 10  # videos listed as better and as worse
MIN_LOSS = 0.005  # share of a video's parts from which a fault is named


def evaluation_page(evaluation: Evaluation, videos: Mapping[str, Path], path: Path) -> str:
    """Build the page as HTML.

    Args:
        evaluation: the metrics to show.
        videos: the available videos, by name; thumbnails are cut from them.
        path: path of the page, which links to report pages are relative to.
    """
    several = len(evaluation.runs) > 1
    runs = [
        ShownRun(
            figures=run,
            series=index + 1,
            letter=LETTERS[index],
            label=f"{LETTERS[index]} {run.name}" if several else run.name,
            links=_report_links(run, path.resolve().parent),
        )
        for index, run in enumerate(evaluation.runs)
    ]
    pictures = Pictures(videos)
    values = {
        "title": f"Evaluation of {' and '.join(run.name for run in evaluation.runs)}",
        "evaluation": evaluation,
        "runs": runs,
        "run_colors": [(f"series-{run.series}", run.label) for run in runs],
        "nothing": Stage.NOTHING,
        "largest_gain": largest_gain,
        "commonest_loss": commonest_loss,
        "curve": curve(runs),
        "replaced": replaced(runs),
        "outcomes": outcomes(runs),
        "sizes": [sizes(evaluation, runs, kind) for kind in KINDS],
        "confusions": {
            group: [confusion(run, group) for run in runs if group in run.figures.confusions]
            for group in evaluation.runs[0].confusions
        },
        "worst": [
            [(video, thumbnail(pictures, evaluation.truth, run, video)) for video in run.worst()]
            for run in evaluation.runs
        ],
        "losses": _losses,
        "has_videos": bool(videos),
        "columns": _columns(runs),
        "wrong_actions": {
            name for run in evaluation.runs for name, video in run.videos.items() if not video.right_action
        },
        "notes": _notes(evaluation, runs, has_videos=bool(videos)),
        **_comparison_values(evaluation),
    }
    return render("evaluation.html", values)


def _report_links(run: RunFigures, folder: Path) -> dict[str, str]:
    """Return the URL, relative to a folder, of the report page of each video that has one."""
    pages = {name: parses / PAGE_FILE for name, parses in run.run.folders.items()}
    return {
        name: quote(Path(os.path.relpath(page.resolve(), folder)).as_posix())
        for name, page in pages.items()
        if page.is_file()
    }


def _comparison_values(evaluation: Evaluation) -> dict[str, object]:
    """Return what the page shows of the differences of two runs; empty for a single run."""
    comparison = evaluation.comparison
    if comparison is None:
        return {}
    return {
        "verdict": verdict(comparison, *LETTERS),
        "better": comparison.better(),
        "worse": comparison.worse(),
        "max_changed": MAX_CHANGED,
        "differences": charts.difference_bars(
            sorted(comparison.differences.items(), key=lambda row: (-row[1], row[0])),
            label="What each video adds to the score, B less A, from the best to the worst",
        ),
    }


def _losses(video: VideoFigures) -> str:
    lost = [(kind, share) for kind, share in video.outcomes.items() if kind != Outcome.RIGHT.value]
    lost = sorted((row for row in lost if row[1] >= MIN_LOSS), key=lambda row: -row[1])
    return f"Lost: {', '.join(f'{kind} {share:.0%}' for kind, share in lost)}." if lost else ""


def _columns(runs: Sequence[ShownRun]) -> list[tuple[str, str]]:
    """Return name and CSS class of each column of the table of all videos."""
    columns = [("video", ""), ("true action", "")]
    for run in runs:
        suffix = f" {run.letter}" if len(runs) > 1 else ""
        columns += [(f"action{suffix}", ""), (f"parts right{suffix}", "number"), (f"adds{suffix}", "number")]
    return [*columns, ("B less A", "number")] if len(runs) > 1 else columns


def _notes(evaluation: Evaluation, runs: Sequence[ShownRun], *, has_videos: bool) -> list[str]:
    notes = [
        "Part state correctness of a video: over its annotated frames the mean of the share of annotated parts "
        "whose person was found, whose box overlaps enough and whose state is right. Several proposals for a part "
        "share its point.",
        "Intervals hold the middle 95 % of 10,000 draws of the videos with replacement; for two runs the same "
        "videos are drawn for both.",
        *evaluation.not_computed(),
    ]
    if not has_videos:
        notes.append("Thumbnails: there are no videos beside the truth; --videos DIR names their folder.")
    num_videos = len(evaluation.truth.videos)
    for run in runs:
        num_reports = sum(name in run.links for name in evaluation.truth.videos)
        if num_reports < num_videos:
            is_folder = bool(run.figures.run.folders)
            why = "its folder holds" if is_folder else "only a folder of parses can hold them, and it has"
            notes.append(
                f"Links to report pages of {run.label}: {why} report.html for {num_reports} of {num_videos} videos."
            )
    return notes
