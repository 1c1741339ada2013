"""Metrics of a batch in Prometheus's text form, for a file that its exporters read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

METRICS_FILE = "metrics.prom"
PREFIX = "actparse_batch"


@dataclass
class BatchMetrics:
    """Counters of one run of a batch."""

    parsed: int = 0  # results that this run has committed
    reused: int = 0  # videos whose key had a result
    failed: int = 0  # put into quarantine
    retries: int = 0  # tries after one that failed
    lost_workers: int = 0  # workers that died
    stopped: int = 0  # tries that the machine or the store ended
    video_seconds: float = 0.0  # length of the videos of `parsed`
    work_seconds: float = 0.0  # that workers spent on videos
    elapsed_seconds: float = 0.0  # from the start of the workers to the last answer
    workers: int = 0
    running: int = 0  # videos that workers have


HELP = {
    "parsed": ("counter", "Results committed by this run"),
    "reused": ("counter", "Videos whose key had a result"),
    "failed": ("counter", "Videos put into quarantine"),
    "retries": ("counter", "Tries after one that failed"),
    "lost_workers": ("counter", "Workers that died"),
    "stopped": ("counter", "Tries ended by the machine or the store"),
    "video_seconds": ("counter", "Length of the parsed videos in seconds"),
    "work_seconds": ("counter", "Seconds that workers spent on videos"),
    "elapsed_seconds": ("gauge", "Seconds since the start of the run"),
    "workers": ("gauge", "Workers"),
    "running": ("gauge", "Videos that workers have"),
}


def format_metrics(metrics: BatchMetrics, states: Mapping[str, int]) -> str:
    """Return the metrics as text.

    Args:
        metrics: the counters.
        states: the number of videos in each state of the manifest.

    Source: Prometheus, text exposition format 0.0.4.
    """
    lines = [f"# HELP {PREFIX}_videos Videos in each state", f"# TYPE {PREFIX}_videos gauge"]
    lines += [f'{PREFIX}_videos{{state="{state}"}} {count}' for state, count in sorted(states.items())]
    for name, (kind, text) in HELP.items():
        full_name = f"{PREFIX}_{name}" + ("_total" if kind == "counter" else "")
        value = getattr(metrics, name)
        lines += [f"# HELP {full_name} {text}", f"# TYPE {full_name} {kind}", f"{full_name} {value:.10g}"]
    return "\n".join(lines) + "\n"
