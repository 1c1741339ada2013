"""The charts of the evaluation page, each with the table of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actparse.metrics.outcomes import Outcome
from actparse.metrics.replacement import EXPLANATION, Stage
from actparse.report import charts
from actparse.report.evaluation import CURVE_THRESHOLDS, Evaluation, RunFigures
from actparse.report.templating import format_number

MAX_STATES = 14  # states in a heat map; the table contains all
MAX_ERRORS = 3  # errors listed below a heat map
SHOWN_THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Cell = str | float | int | None


@dataclass(frozen=True)
class ShownRun:
    """A run as the page names and colours it."""

    figures: RunFigures
    series: int  # 1 or 2
    letter: str  # "A" or "B"
    label: str  # letter and name; only the name if there is a single run
    links: Mapping[str, str]  # video -> URL of its report page


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str, spec: str = "") -> dict[str, Any]:
    """Return a table for the template; the first cell of a row is its header, `spec` formats its floats."""
    return {"head": head, "rows": rows, "caption": caption, "spec": spec}


def curve(runs: Sequence[ShownRun]) -> dict[str, Any]:
    """Draw the accuracy over the threshold of part state correctness."""
    chart = charts.line_chart(
        CURVE_THRESHOLDS,
        [(run.label, run.figures.curve()) for run in runs],
        x_label="threshold of part state correctness",
        y_label="accuracy",
        label="Accuracy over the threshold of part state correctness; numbers in the table below",
    )
    rows: list[list[Cell]] = [
        [f"{t:.1f}", *(run.figures.score.accuracy_at(t) for run in runs)] for t in SHOWN_THRESHOLDS
    ]
    head = ["threshold", *(run.label for run in runs)]
    return {"chart": chart, "table": table(head, rows, "Accuracy at each threshold", ".1%")}


def replaced(runs: Sequence[ShownRun]) -> dict[str, Any]:
    """Draw the scores with one stage replaced by the truth."""
    scores = {stage: [run.figures.replaced[stage].roc_score for run in runs] for stage in Stage}
    chart = charts.bar_chart(
        [charts.Bars(stage.value, values) for stage, values in scores.items()],
        maximum=1.0,
        label="ROC score as predicted and with each stage replaced by the truth; numbers in the table below",
        format_value="{:.3f}".format,
        letters=[run.letter for run in runs],
    )
    rows = [[stage.value, EXPLANATION[stage], *values] for stage, values in scores.items()]
    head = ["truth for", "which means", *(run.label for run in runs)]
    return {"chart": chart, "table": table(head, rows, "ROC score", ".4f")}


def outcomes(runs: Sequence[ShownRun]) -> dict[str, Any]:
    """Draw what became of the annotated parts, by group; `colors` are those of the outcomes that occur."""
    names = [outcome.value for outcome in Outcome]
    shares = {group: [run.figures.outcomes[group] for run in runs] for group in runs[0].figures.outcomes}
    present = [name for name in names if any(run[name] > 0 for by_run in shares.values() for run in by_run)]
    chart = charts.stacked_bars(
        [
            (
                group,
                [
                    charts.Stack(run.letter, [share[name] for name in names])
                    for run, share in zip(runs, by_run, strict=True)
                ],
            )
            for group, by_run in shares.items()
        ],
        names,
        label="What became of the annotated parts, by group; numbers in the table below",
    )
    rows: list[list[Cell]] = [
        [group, run.label, *(share[name] for name in present)]
        for group, by_run in shares.items()
        for run, share in zip(runs, by_run, strict=True)
    ]
    return {
        "chart": chart,
        "colors": [(f"kind-{names.index(name) + 1}", name) for name in present],
        "table": table(["group", "run", *present], rows, "Share of the group's annotated parts", ".1%"),
    }


def sizes(evaluation: Evaluation, runs: Sequence[ShownRun], kind: str) -> dict[str, Any]:
    """Draw share found and average precision of "persons" or "parts" by size; no precision without confidences."""
    by_size = {size: [run.figures.sizes[kind][size] for run in runs] for size in runs[0].figures.sizes[kind]}
    labels = {size: f"{size}, {values[0].num_true:,} boxes" for size, values in by_size.items() if values[0].num_true}
    letters = [run.letter for run in runs]
    detected = charts.bar_chart(
        [charts.Bars(label, [values.found for values in by_size[size]]) for size, label in labels.items()],
        maximum=1.0,
        label=f"Share of {kind} found, by size; numbers in the table below",
        format_value="{:.1%}".format,
        letters=letters,
    )
    precision = charts.bar_chart(
        [charts.Bars(label, [values.ap for values in by_size[size]]) for size, label in labels.items()],
        maximum=100.0,
        label=f"Average precision of {kind}, by size; numbers in the table below",
        format_value="{:.1f}".format,
        letters=letters,
    )
    rows: list[list[Cell]] = [
        [
            size,
            run.label,
            values.num_true,
            format_number(values.found, ".1%"),
            format_number(values.ap, ".1f"),
            format_number(values.ap50, ".1f"),
        ]
        for size, by_run in by_size.items()
        for run, values in zip(runs, by_run, strict=True)
    ]
    head = ["size", "run", "true boxes", "found", "AP", "AP50"]
    return {
        "name": kind.capitalize(),
        "threshold": evaluation.human_iou if kind == "persons" else evaluation.part_iou,
        "detected": detected,
        "precision": precision if any(run.figures.run.boxes is not None for run in runs) else None,
        "table": table(head, rows, f"{kind.capitalize()} by size"),
    }


def confusion(run: ShownRun, group: str) -> dict[str, Any]:
    """Draw the states of a part group that are taken for each other, with the commonest errors in words."""
    states = run.figures.confusions[group]
    first = states.states[:MAX_STATES]
    name = f"{group}, {run.label}"
    chart = charts.heat_map(
        first,
        first,
        states.counts[: len(first), : len(first)],
        series=run.series,
        label=f"States of {name}: true in rows, predicted in columns; numbers in the table below",
    )
    total = float(states.counts.sum() + states.not_proposed.sum())
    notes = [f"{float(np.trace(states.counts)) / total:.1%} of {total:,.0f} states right"]
    notes += [
        f"{true} taken for {other}: {count:,.0f} time{'s' * (count != 1)}"
        for true, other, count in states.commonest_errors()[:MAX_ERRORS]
    ]
    if swaps := run.figures.swaps.get(group):
        share = f" ({swaps.num_swapped / swaps.num_tellable:.1%})" if swaps.num_tellable else ""
        notes.append(f"left and right exchanged: {swaps.num_swapped:,} of {swaps.num_tellable:,} persons{share}")
    totals = states.counts.sum(axis=1) + states.not_proposed
    pairs = [
        (float(count), true, other, float(count / totals[i]))
        for i, true in enumerate(states.states)
        for other, count in zip(
            (*states.states, "(none proposed)"), (*states.counts[i], states.not_proposed[i]), strict=True
        )
        if count > 0
    ]
    pairs.sort(key=lambda pair: -pair[0])
    head = ["true", "predicted", "count", "of the true"]
    rows: list[list[Cell]] = [[true, other, f"{count:,.0f}", f"{share:.1%}"] for count, true, other, share in pairs]
    return {
        "run": run,
        "name": name,
        "chart": chart,
        "notes": notes,
        "table": table(head, rows, f"States of {name}"),
    }
