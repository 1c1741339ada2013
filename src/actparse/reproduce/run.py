"""Reproduction of one table: train the missing networks, measure every seed, write the table."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from actparse import __version__
from actparse.core.errors import ConfigError, WeightsError
from actparse.core.files import file_sha256
from actparse.data.division import held_out_names
from actparse.data.kinetics_tps import KineticsTps, have_objects
from actparse.data.prior import prior_states
from actparse.data.submission import EVALUATED_STRIDE
from actparse.parser import Parser
from actparse.reproduce.computing import compute_figures, with_compute_shares
from actparse.reproduce.evaluation import (
    BOXES,
    Figures,
    HeldOutVideo,
    Progress,
    Variant,
    box_figures,
    held_out_videos,
    score_methods,
)
from actparse.reproduce.methods import (
    PRETRAINED,
    RULES,
    Method,
    Size,
    Training,
    boxes_of_table_2,
    table_1,
    table_3,
    variants_of_table_1,
    with_object_detector,
)
from actparse.reproduce.reuse import copy_network, expect_clips, expect_same, start_of_objects
from actparse.reproduce.writing import Row, Table, write_table
from actparse.stages.loading import bundle_folder, load_parts, load_persons, load_poses
from actparse.synth.dataset import is_synthetic
from actparse.training import RECIPES, TrainOptions, run_recipe
from actparse.training.recipes.persons import FRAME_RECIPES, open_frames
from actparse.training.recipes.registry import WITHOUT_DOTS, recipe_of
from actparse.training.recipes.tiny_clips import open_clips
from actparse.training.run_folder import RunFolder, read_json, write_json
from actparse.training.runs.bundles import SHARED as STAGE_1
from actparse.training.runs.bundles import assemble, assemble_complete
from actparse.training.runs.jobs import Job, run_jobs, without_report
from actparse.training.runs.network_run import check_inputs
from actparse.training.samples.splits import open_stores

NOT_PRINTED: Mapping[str, float] = {}  # no values in the paper
SHARED_SEED = 0  # seed of trainings that all seeds start from
MAX_JOBS = 2  # tiny networks trained at the same time
TABLES = ("table1", "table2", "table3")
METHODS = {"table1": table_1, "table3": table_3}  # Table II compares part detectors


@contextmanager
def _ignore_progress(name: str) -> Iterator[Progress]:
    yield lambda done, total: None


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions:
    """Options for reproducing a table."""

    size: Size = "tiny"
    seeds: tuple[int, ...] = (0,)  # seeds of the trainings; the table contains mean and range over them
    stage_1: str | Path | None = None  # a bundle whose persons, poses and parts are used; None trains them
    share: float | None = None  # share of every tiny recipe's default steps, instead of a length in `training`
    split: str | None = None  # the split to measure on; None takes the held-out videos
    limit: int | None = None  # videos to measure on, at most
    truth: Path | None = None  # folder with gt_*.json of the split, instead of the dataset's annotation of each frame
    # length, device and streams of every training; at size tiny, `init` is a bundle that only ip-CSN starts from
    training: TrainOptions = field(default_factory=TrainOptions)
    progress: Callable[[str], AbstractContextManager[Progress]] = _ignore_progress  # shows the progress of a named task

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError(f"reproduce.seeds must be numbers that differ, got {self.seeds}")
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"reproduce.limit must be at least 1, got {self.limit}")
        if self.share is None:
            return
        if not self.share > 0:
            raise ConfigError(f"reproduce.share must be greater than 0, got {self.share}")
        if not RULES[self.size].in_parallel or self.training.steps is not None or self.training.minutes is not None:
            raise ConfigError(f"reproduce.share needs size tiny, and no steps or minutes, got {self.share}")


def reproduce(table: str, data: Path, out: Path, options: ReproduceOptions) -> Table:
    """Reproduce one of the paper's tables. Finished trainings are reused and interrupted ones resume.

    Args:
        table: one of TABLES.
        data: a dataset in Kinetics-TPS's folders.
        out: folder for TABLE.md, TABLE.json and TABLE.svg, and for the runs, which the tables share.
        options: the trainings, and the videos to measure on.

    Raises:
        ConfigError: there is no such table, or it does not start from `options.training.init`.
        DataError: the dataset is invalid, or has no annotated video to measure on.
        TrainingError: a training failed, and the same command resumes it; or `out` contains trainings of another length
            or with other networks of stage 1.
        WeightsError: `options.stage_1` is not a bundle, its networks are damaged, or `options.training.init` has none.
    """
    if table not in TABLES:
        raise ConfigError(f"reproduce: needs one of {', '.join(TABLES)}, got {table!r}")
    videos = held_out_videos(data, split=options.split, limit=options.limit, truth=options.truth)
    bench = _Bench(data, out, options, videos)
    methods = METHODS[table](options.size) if table in METHODS else ()
    if bench.initial_action is not None and not methods:
        raise ConfigError(f"reproduce: --init at size tiny is for Tables I and III, got {table}")
    if table == "table1":
        if have_objects(KineticsTps(data).videos("train"), stride=EVALUATED_STRIDE):
            methods = (with_object_detector(methods[0]), *methods[1:])
        else:
            options.training.report(f"{data}: the data has no objects, so the baseline uses persons and parts only")
    bench.expect_inputs(methods)
    if table == "table2":
        bench.provide_stage_1(STAGE_1[:2])  # Table II trains its part detectors itself
        rows = bench.parts_rows()
    else:
        bench.provide_stage_1(STAGE_1)
        rows = bench.method_rows(table, methods, bench.variants() if table == "table1" else {})
    result = Table(
        name=table,
        size=options.size,
        dataset=data.resolve().name,
        length=_length(options),
        num_videos=len(videos),
        seed_numbers=options.seeds,
        rows=tuple(rows),
        num_rendered_clips=bench.num_rendered_clips if table != "table2" else 0,
        initial="" if bench.initial_action is None else bench.initial_action.parent.resolve().name,
    )
    write_table(result, out)
    return result


@dataclass(frozen=True)
class _Bench:
    """The trainings of a table, and the videos it is measured on."""

    data: Path
    out: Path
    options: ReproduceOptions
    videos: Sequence[HeldOutVideo]

    @property
    def stage_1(self) -> Path:
        """The folder of the networks that all methods share: a bundle's, or that of their trainings."""
        bundle = self.options.stage_1
        return self.out / "stage1" if bundle is None else bundle_folder(bundle)

    @property
    def initial_action(self) -> Path | None:
        """The network that replaces the pre-training of ip-CSN at size tiny; None if there is none."""
        folder = self.options.training.init
        return None if folder is None or self.options.size != "tiny" else folder / "action.safetensors"

    @property
    def training(self) -> TrainOptions:
        """The options of every training; at size tiny, the bundle of `init` is only for ip-CSN."""
        options = self.options.training
        return replace(options, size=self.options.size, init=None if self.options.size == "tiny" else options.init)

    def folder(self, seed: int, name: str) -> Path:
        """Return the folder of a method's run."""
        return self.out / f"seed-{seed}" / name

    def expect_inputs(self, methods: Sequence[Method]) -> None:
        """Check the inputs of all full-size trainings, so that the command fails before days of training.

        Raises:
            WeightsError: a file to start from is missing.
            DataError: flow is missing.
        """
        runs = [] if self.options.stage_1 else [RunFolder(self.stage_1, name) for name in STAGE_1]
        runs += [
            RunFolder(self.folder(seed, training.home or method.folder), training.recipe)
            for seed in self.options.seeds
            for method in methods
            for training in method.trainings
        ]
        if self.initial_action is not None and not self.initial_action.is_file():
            raise WeightsError(
                f"--init: needs a folder with {self.initial_action.name}, got {self.options.training.init}"
            )
        for run in runs:
            if not run.is_finished:
                check_inputs(run.name, self.data, run.out, self.training, needs=False)

    def provide_stage_1(self, names: Sequence[str]) -> None:
        """Train the named networks of stage 1 unless a bundle provides them."""
        if self.options.stage_1 is None:
            needs = {name: STAGE_1[:2] if name == "parts" else () for name in names}
            seed = self.options.seeds[0]
            self._train({name: self._job(Training(name), self.stage_1, seed, needs[name]) for name in names})

    def method_rows(self, table: str, methods: Sequence[Method], variants: Mapping[str, Variant]) -> list[Row]:
        """Train the methods with every seed, and score them and their variants."""
        jobs: dict[str, Job] = {}
        for seed in self.options.seeds:
            for method in methods:
                for training in method.trainings:
                    jobs |= self._jobs_to(training, self.folder(seed, training.home or method.folder), seed)
        self._train(jobs)
        by_seed = [with_compute_shares(self._scores(table, methods, variants, s)) for s in self.options.seeds]
        printed = {**{method.name: method.paper for method in methods}, **dict.fromkeys(variants, NOT_PRINTED)}
        return [Row(name, paper, tuple(metrics[name] for metrics in by_seed)) for name, paper in printed.items()]

    def _jobs_to(self, training: Training, run: Path, seed: int) -> dict[str, Job]:
        """Return the jobs of a training and of unfinished ones it starts from; finished ones may have any length."""
        earlier: dict[str, Job] = {}
        init = None
        if training.starts_from_persons and self.options.size == "tiny":
            init = start_of_objects(RunFolder(self.stage_1, "persons").weights)
        start = training.start
        initial = self.initial_action if start == PRETRAINED else None
        has_start = start != PRETRAINED or initial is not None or self.num_rendered_clips > 0
        if start is not None and has_start:
            folder = self.out / start.folder if start.is_shared else self.folder(seed, start.folder)
            start_run = RunFolder(folder, start.training.recipe)
            init = initial or start_run.weights
            if start.learning_rate is not None:
                rate = {"learning_rate": f"{start.learning_rate:g}"}
                training = replace(training, changes={**training.changes, **rate})
            if initial is None and not start_run.is_finished:
                earlier = self._jobs_to(start.training, folder, SHARED_SEED if start.is_shared else seed)
            elif initial is None and start == PRETRAINED:
                expect_clips(start_run, self.num_rendered_clips)
        start_job = tuple(earlier)[-1:]  # empty if it is finished
        job = self._job(training, run, seed, start_job, init=init)
        return {**earlier, f"{run.relative_to(self.out)}: {training.recipe}": job}

    @property
    def num_rendered_clips(self) -> int:
        """The number of rendered clips that ip-CSN is pre-trained on."""
        recipe = RECIPES[self.options.size].get(PRETRAINED.training.recipe)
        if recipe is None or recipe.hyperparameters is None:
            return 0
        return recipe.hyperparameters.num_rendered_clips(self.data, self.options.training)

    def variants(self) -> dict[str, Variant]:
        """Return the variants of Table I, with the most common states of the training videos."""
        records = KineticsTps(self.data).videos("train")
        held_out = {video.record.name for video in self.videos}
        if not held_out.isdisjoint(record.name for record in records):  # they are a part of train, perhaps limited
            held_out |= held_out_names(record.name for record in records)
        return variants_of_table_1(prior_states(record for record in records if record.name not in held_out))

    def _scores(
        self, table: str, methods: Sequence[Method], variants: Mapping[str, Variant], seed: int
    ) -> dict[str, Figures]:
        parsers = {method.name: self._parser(method, seed) for method in methods}

        def measure() -> dict[str, Figures]:
            with self.options.progress(f"seed {seed}: parse") as progress:
                return score_methods(parsers, self.videos, variants=variants, progress=progress)

        inputs: dict[str, Any] = {name: parser.model for name, parser in parsers.items()}
        inputs |= {name: variant.rests_on for name, variant in variants.items()}
        metrics = _measure_once(self.folder(seed, f"{table}.json"), self._videos_digest, inputs, measure)
        for name, parser in parsers.items():
            if parser.bundle.states is not None:
                metrics[name] |= compute_figures(parser.bundle.states, parser.config, RULES[self.options.size].crop)
        return metrics

    @property
    def _videos_digest(self) -> str:
        """The digest of the annotations of the videos that are measured on."""
        return sha256(repr([(video.record.name, video.truth) for video in self.videos]).encode()).hexdigest()

    def _parser(self, method: Method, seed: int) -> Parser:
        """Assemble a bundle of a method's networks and those of stage 1, and load it."""
        run = self.folder(seed, method.folder)
        files = {name: RunFolder(self.stage_1, name).weights for name in STAGE_1}
        bundle = run / method.bundle
        if not RULES[self.options.size].states_with_action:
            files |= {
                training.recipe: RunFolder(self.folder(seed, training.home), training.recipe).weights
                for training in method.trainings
                if training.home is not None and training.home != method.folder
            }
            for name, path in files.items():
                copy_network(path, RunFolder(run, name))
            assemble_complete(self.options.size, run, self.options.training.report)
        else:
            files |= method.networks(run)
            assemble(bundle, files, name=method.folder, inference=asdict(method.config))
        return Parser.load(bundle, device=self._device, config=method.config)

    @property
    def _device(self) -> str:
        device = self.options.training.device
        return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device

    def parts_rows(self) -> list[Row]:
        """Train the part detector with and without dots for every seed, and measure the boxes of Table II."""
        jobs = {}
        for seed in self.options.seeds:
            folder = self.folder(seed, "parts")
            copy_network(RunFolder(self.stage_1, "poses").weights, RunFolder(folder, "poses"))
            for recipe in ("parts", WITHOUT_DOTS):
                jobs[f"seed {seed}: {recipe}"] = self._job(Training(recipe), folder, seed)
        self._train(jobs)
        by_seed = [self._box_metrics(seed) for seed in self.options.seeds]
        printed = {name: paper for name, paper in boxes_of_table_2().items() if name in by_seed[0]}
        return [Row(name, paper, tuple(metrics[name] for metrics in by_seed)) for name, paper in printed.items()]

    def _box_metrics(self, seed: int) -> dict[str, Figures]:
        run = self.folder(seed, "parts")
        persons, poses = (RunFolder(self.stage_1, name).weights for name in STAGE_1[:2])
        parts, without_dots = (RunFolder(run, name).weights for name in ("parts", WITHOUT_DOTS))

        def measure() -> dict[str, Figures]:
            with self.options.progress(f"seed {seed}: boxes") as progress:
                return box_figures(
                    load_persons(persons, device=self._device),
                    load_poses(poses, device=self._device),
                    load_parts(parts, device=self._device),
                    load_parts(without_dots, device=self._device),
                    self.videos,
                    progress=progress,
                )

        inputs: dict[str, Any] = {"actparse": __version__, "boxes": list(BOXES)} | {
            path.stem: file_sha256(path) for path in (persons, poses, parts, without_dots)
        }
        return _measure_once(self.folder(seed, "table2.json"), self._videos_digest, inputs, measure)

    def _job(
        self, training: Training, folder: Path, seed: int, needs: tuple[str, ...] = (), *, init: Path | None = None
    ) -> Job:
        options = replace(self.training, seed=seed, resume=True, changes=dict(training.changes))
        if not training.sees_rendered_clips:
            options = replace(options, stream_clips=0)
        if self.options.share is not None:
            steps = recipe_of(training.recipe, self.options.size).steps or 0
            options = replace(options, steps=max(1, round(self.options.share * steps)))
        if init is not None:
            options = replace(options, init=init)
        return Job(training.recipe, self.data, folder, options, needs)

    def _train(self, jobs: Mapping[str, Job]) -> None:
        """Run the unfinished trainings: tiny networks in parallel, full-size ones one after the other.

        Raises:
            TrainingError: a training failed, or was started with a different number of steps.
        """
        for job in jobs.values():
            expect_same(job)
        unfinished = {name: job for name, job in jobs.items() if not job.is_finished}
        report = self.options.training.report
        report(
            f"reproduce: {len(unfinished)} of {len(jobs)} trainings to do"
            + "".join(f"\n  {name}" for name in unfinished)
        )
        if not RULES[self.options.size].in_parallel:
            for job in unfinished.values():
                run_recipe(job.recipe, job.data, job.out, job.options)
            return
        if unfinished:
            open_stores(self.data, self.out, self.options.training)
            if is_synthetic(self.data) and not FRAME_RECIPES.isdisjoint(job.recipe for job in unfinished.values()):
                for split in ("train", "val"):
                    open_frames(self.data, self.out, self.options.training, split)
            for job in unfinished.values():
                if job.options.stream_clips:
                    open_clips(self.data, self.out, job.options)
        silent = {name: replace(job, options=without_report(job.options)) for name, job in jobs.items()}
        run_jobs(silent, slots=min(MAX_JOBS, os.cpu_count() or 1), report=report)


def _measure_once(
    path: Path, videos: str, networks: Mapping[str, Any], measure: Callable[[], dict[str, Figures]]
) -> dict[str, Figures]:
    """Return the metrics of a seed from `path`; measure them again if the networks or the videos have changed."""
    inputs = {"videos": videos, "networks": dict(networks)}
    record = read_json(path) if path.is_file() else {}
    if record.get("of") != inputs:
        measured = measure().items()
        metrics = {name: {f: value for f, value in row.items() if not math.isnan(value)} for name, row in measured}
        record = {"of": inputs, "figures": metrics}
        write_json(path, record)
    result: dict[str, Figures] = record["figures"]
    return result


def _length(options: ReproduceOptions) -> str:
    """Describe the length of every training."""
    training = options.training
    if options.share is not None:
        return f"{options.share:g} of the recipe's own steps"
    if training.minutes is not None:
        return f"{training.minutes:g} minutes"
    if training.epochs is not None:
        return f"{training.epochs:g} epochs"
    return "the recipe's own steps" if training.steps is None else f"{training.steps} steps"
