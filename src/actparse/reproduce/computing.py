"""The computing of the state networks in a row of Table III."""

from __future__ import annotations

from dataclasses import replace

from actparse.inspection.compute import VideoShape, states_macs
from actparse.parser import ParserConfig
from actparse.reproduce.evaluation import Figures
from actparse.stages.actions.classifier import StateRecognizer

GIGA = 1e9
GIGA_MACS, GIGA_MACS_IN_CROPS = "giga_macs", "giga_macs_in_crops"  # names of metrics; the latter only at size paper
TEN_SECONDS = VideoShape(seconds=10.0)  # the video that Table III counts the computing for


def compute_figures(states: StateRecognizer, config: ParserConfig, crop: int | None) -> Figures:
    """Count the G MAC of the state networks for 10 s of video, on the frames that are run and on crops of `crop`."""
    shape = replace(TEN_SECONDS, segment_seconds=config.segment_seconds, level=config.level)
    figures = {GIGA_MACS: states_macs(states, shape) / GIGA}
    return figures if crop is None else figures | {GIGA_MACS_IN_CROPS: states_macs(states, shape, crop=crop) / GIGA}


def with_compute_shares(metrics: dict[str, Figures], *, of: str = "frame") -> dict[str, Figures]:
    """Add each method's computing in percent of that of the method `of` to the metrics of a seed."""
    whole = metrics.get(of, {}).get(GIGA_MACS, 0.0)
    if not whole:
        return metrics
    return {name: {**values, "compute_share": 100 * values[GIGA_MACS] / whole} for name, values in metrics.items()}
