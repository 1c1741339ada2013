"""Recipe "tiny": every network of a bundle, as many at a time as there are cores, and the bundle at the end."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty
from typing import Any

from actparse.errors import ActparseError, TrainingError
from actparse.files import written_beside
from actparse.stages.loading import BUNDLE_FILE
from actparse.training.options import TrainOptions
from actparse.training.recipes import NETWORK_RECIPES, run_recipe
from actparse.training.runs import RunFolder, read_json, write_json

STATE_FILE = "tiny.json"  # how the run divides its time, and what is finished
BUNDLE_FOLDER = "bundle"
MAX_JOBS = 2  # at a time; each has one thread
ORDER = {**{name: recipe.needs for name, recipe in NETWORK_RECIPES.items()}}  # recipe -> what must be finished first
ORDER |= {name: ("action",) for name in ORDER if name.startswith("states-")}
FIRST_ROUNDS = ("persons", "poses", "parts", "action", "parts-without-dots", "tracks")
Jobs = dict[str, BaseProcess]
JOB_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # glibc keeps freed memory for the next step instead of giving it back: 5 to 15 % faster, measured
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
}


def train_bundle(data: Path, out: Path, options: TrainOptions) -> dict[str, Any]:
    """Train all networks and put their files together.

    Args:
        data: a dataset's root.
        out: the run's folder; `out`/bundle is what the parser loads.
        options: `minutes` is for the whole run, `steps` and `epochs` for each network; `init` is a folder, a bundle
            say, and networks that it has start from there. A stopped run goes on where it was with `resume`.

    Returns:
        The held-out figures of every network, by recipe.

    Raises:
        TrainingError: a network failed, `init` is no folder, or `out` holds a run and `resume` was not asked for.
    """
    if options.init is not None and not options.init.is_dir():
        raise TrainingError(f"train: tiny starts from a folder with a file for each network, got --init {options.init}")
    if (out / STATE_FILE).exists() and not options.resume:
        raise TrainingError(f"{out} holds a run of tiny already: resume it, or choose another folder")
    slots = min(MAX_JOBS, os.cpu_count() or 1)
    minutes = _divide_time(out, options, slots)
    options.report(estimate(minutes, slots))
    _prepare(data, out, options)
    state = _State(out, minutes)
    state.write()
    _run_jobs(state, data, options, slots)
    figures = {name: read_json(RunFolder(out, name).metrics) for name in NETWORK_RECIPES}
    assemble(out, figures)
    options.report(f"tiny: the bundle is in {out / BUNDLE_FOLDER}")
    return figures


@dataclass
class _State:
    """Which networks are done; kept in a file so that a person, and a resumed run, can see it."""

    out: Path
    minutes: dict[str, float]
    running: Jobs = field(default_factory=dict)

    def is_finished(self, name: str) -> bool:
        return RunFolder(self.out, name).is_finished

    def is_ready(self, name: str) -> bool:
        return (
            not self.is_finished(name)
            and name not in self.running
            and all(self.is_finished(needed) for needed in ORDER[name])
        )

    def write(self) -> None:
        finished = [name for name in NETWORK_RECIPES if self.is_finished(name)]
        record = {"minutes": self.minutes, "finished": finished, "running": sorted(self.running)}
        write_json(self.out / STATE_FILE, record)


def _divide_time(out: Path, options: TrainOptions, slots: int) -> dict[str, float]:
    """Minutes for each recipe: as the run decided when it began, else in proportion to the recipes' own."""
    if (out / STATE_FILE).exists():
        raw = read_json(out / STATE_FILE).get("minutes")
        if isinstance(raw, dict) and set(raw) == set(NETWORK_RECIPES):
            return {name: float(raw[name]) for name in NETWORK_RECIPES}
        raise TrainingError(f"{out / STATE_FILE}: a run can be resumed only with its state file, got {raw!r}")
    own = {name: recipe.minutes for name, recipe in NETWORK_RECIPES.items()}
    if options.minutes is not None:
        factor = options.minutes * slots / sum(own.values())
        return {name: minutes * factor for name, minutes in own.items()}
    if options.steps is not None:
        return {name: minutes * options.steps / NETWORK_RECIPES[name].steps for name, minutes in own.items()}
    return own


def estimate(minutes: dict[str, float], slots: int) -> str:
    """One line: how long the run will take, and what its longest parts are."""
    longest = sorted(minutes, key=lambda name: -minutes[name])[:4]
    parts = ", ".join(f"{name} {minutes[name]:.0f}" for name in longest)
    total = sum(minutes.values()) / slots
    return f"tiny: about {total:.0f} minutes with {slots} networks at a time, after the data are decoded ({parts})"


def _prepare(data: Path, out: Path, options: TrainOptions) -> None:
    """Make what several jobs read, with all cores, before they start."""
    from actparse.training.builders import open_clips, open_pose_streams, open_splits, open_tracks

    out.mkdir(parents=True, exist_ok=True)
    open_splits(data, out, options.report)
    if not RunFolder(out, "poses").is_finished:
        open_pose_streams(data, out, options)
    open_clips(data, out, options)
    open_tracks(data, out, options)


def _run_jobs(state: _State, data: Path, options: TrainOptions, slots: int) -> None:
    order = (*FIRST_ROUNDS, *(name for name in NETWORK_RECIPES if name not in FIRST_ROUNDS))
    context = multiprocessing.get_context("spawn")
    lines: Any = context.Queue()
    try:
        while not all(map(state.is_finished, NETWORK_RECIPES)):
            for name in order:
                if len(state.running) < slots and state.is_ready(name):
                    job_options = _options_for(name, options, state.minutes)
                    arguments = (name, data, state.out, job_options, lines)
                    state.running[name] = context.Process(target=_run_job, args=arguments, daemon=False)
                    with _environment(JOB_ENVIRONMENT):
                        state.running[name].start()
                    state.write()
            _forward(lines, options.report)
            _collect(state)
    finally:
        for job in state.running.values():
            job.terminate()
            job.join()
        _forward(lines, options.report, wait_seconds=0.0)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables that a process started in the body finds; what the person at the keyboard set stays."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _options_for(name: str, options: TrainOptions, minutes: dict[str, float]) -> TrainOptions:
    start = None if options.init is None else options.init / f"{name}.safetensors"
    init = start if start is not None and start.is_file() else None
    own = replace(options, report=_no_report, resume=True, threads=1, init=init)
    return own if options.minutes is None else replace(own, minutes=minutes[name])


def _no_report(line: str) -> None:
    """Stands in for the caller's report, which may not travel to another process."""


def _run_job(name: str, data: Path, out: Path, options: TrainOptions, lines: Any) -> None:
    """In a process of its own: train one network, its lines and its error going back through a queue."""
    try:
        run_recipe(name, data, out, replace(options, report=lines.put))
    except ActparseError as error:
        lines.put(f"{name} failed: {error}")
        raise SystemExit(2) from None


def _forward(lines: Any, report: Callable[[str], None], *, wait_seconds: float = 1.0) -> None:
    """Report what the jobs said, waiting a while for a first line."""
    try:
        while True:
            report(lines.get(timeout=wait_seconds) if wait_seconds else lines.get_nowait())
            wait_seconds = 0.0
    except Empty:
        return


def _collect(state: _State) -> None:
    """Take note of the jobs that ended.

    Raises:
        TrainingError: one of them failed.
    """
    for name, job in list(state.running.items()):
        if job.exitcode is None:
            continue
        job.join()
        del state.running[name]
        state.write()
        if job.exitcode != 0 or not state.is_finished(name):
            time.sleep(0.2)  # its last line is on the way
            raise TrainingError(f"{name} failed with exit code {job.exitcode}; the run can be resumed")


def assemble(out: Path, figures: dict[str, Any], *, name: str = "tiny") -> Path:
    """Copy the networks into `out`/bundle, and say there what was measured.

    Returns:
        The bundle's folder.

    Raises:
        OutputError: it cannot be written.
    """
    bundle = out / BUNDLE_FOLDER
    kinds = list(NETWORK_RECIPES)  # the part detector without dots too: `diagnose` compares with it
    for kind in kinds:
        source = RunFolder(out, kind).weights
        with written_beside(bundle / source.name) as beside:
            shutil.copyfile(source, beside)
    write_json(bundle / BUNDLE_FILE, {"name": name, "networks": kinds, "metrics": figures})
    return bundle
