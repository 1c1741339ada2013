"""Builders of the full-size recipes' tasks, and the initialisation of their networks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from actparse.core.errors import TrainingError, WeightsError
from actparse.nets.baseline import Baseline
from actparse.nets.clips.tsn import Tsn
from actparse.training.options import TrainOptions
from actparse.training.paper.action import CsnNumbers
from actparse.training.paper.baseline import BaselineNumbers
from actparse.training.paper.baseline_task import BaselineTask
from actparse.training.paper.clip_tasks import CsnTask, SpansTask, TsnFlowTask, TsnRgbTask
from actparse.training.paper.detector_tasks import PartsTask, PersonsTask
from actparse.training.paper.flow_reader import flow_folder
from actparse.training.paper.keypoints import NoKeypoints, find_keypoints
from actparse.training.paper.parts import PartsNumbers
from actparse.training.paper.persons import PersonsNumbers
from actparse.training.paper.spans import Span, action_spans, frame_spans, segment_spans
from actparse.training.paper.splits import Split, open_splits
from actparse.training.paper.states import StatesNumbers
from actparse.training.paper.tsn import TsnFlowNumbers, TsnRgbNumbers
from actparse.training.recipes.builders import cache_folder
from actparse.training.run_folder import RunFolder
from actparse.training.runs.network_files import load_initial
from actparse.training.task import Task
from actparse.weights.bundle import load_network

FIRST_CONVOLUTION = "backbone.conv1.conv.weight"  # parameter name in a Tsn


def build_persons(
    name: str, hyperparameters: PersonsNumbers, data: Path, run: RunFolder, options: TrainOptions
) -> Task:
    """Build the person detector's task."""
    return PersonsTask(*open_splits(data, run.out, options.report, seed=hyperparameters.split_seed), hyperparameters)


def build_parts(name: str, hyperparameters: PartsNumbers, data: Path, run: RunFolder, options: TrainOptions) -> Task:
    """Build a part detector's task, with keypoints from the run's pose network."""
    weights = RunFolder(run.out, "poses").weights
    if not weights.is_file():
        raise TrainingError(f"{name} needs {weights}: run the recipe poses first")
    splits = open_splits(data, run.out, options.report, seed=hyperparameters.split_seed)
    if options.only_estimate:
        return PartsTask(name, *splits, hyperparameters, NoKeypoints(cache_folder(data, run.out)))
    has_cuda = torch.cuda.is_available() and options.device != "cpu"
    keypoints = find_keypoints(
        splits,
        weights,
        cache_folder(data, run.out),
        stride=hyperparameters.frame_stride,
        device=torch.device("cuda" if has_cuda else "cpu"),
        report=options.report,
    )
    return PartsTask(name, *splits, hyperparameters, keypoints)


def build_clips(
    name: str, hyperparameters: CsnNumbers | TsnRgbNumbers, data: Path, run: RunFolder, options: TrainOptions
) -> Task:
    """Build a video network's task: for the action, or for the part group that the recipe's name ends with."""
    splits = open_splits(data, run.out, options.report, seed=hyperparameters.split_seed)
    train, held_out = (
        (replace(split, index=split.index.without_persons()), _spans(name, hyperparameters, split)) for split in splits
    )
    if isinstance(hyperparameters, TsnFlowNumbers):
        return TsnFlowTask(name, train, held_out, hyperparameters, flow_folder(data, options))
    if isinstance(hyperparameters, TsnRgbNumbers):
        return TsnRgbTask(name, train, held_out, hyperparameters)
    return CsnTask(name, train, held_out, hyperparameters)


def build_baseline(
    name: str, hyperparameters: BaselineNumbers, data: Path, run: RunFolder, options: TrainOptions
) -> Task:
    """Build the official baseline's task."""
    return BaselineTask(*open_splits(data, run.out, options.report, seed=hyperparameters.split_seed), hyperparameters)


def _spans(name: str, hyperparameters: CsnNumbers | TsnRgbNumbers, split: Split) -> tuple[Span, ...]:
    if name.startswith("action"):
        return action_spans(split)
    assert isinstance(hyperparameters, StatesNumbers | TsnRgbNumbers)
    group = name.rpartition("-")[2]
    if hyperparameters.level == "frame":
        length = hyperparameters.num_frames * hyperparameters.frame_stride
        return frame_spans(split, group, hyperparameters.frame_stride_evaluated, length)
    return segment_spans(split, group, hyperparameters.segment_seconds)


Builder = Callable[[str, Any, Path, RunFolder, TrainOptions], Task]


def start_from(task: Task, weights: Path) -> tuple[str, ...]:
    """Initialise a task's network from an imported file; return the names of the parameters that stay fresh.

    Raises:
        WeightsError: the file is damaged, or a layer differs that has to match.
    """
    if isinstance(task, BaselineTask):
        return _start_backbone(task, weights)
    if not (isinstance(task, SpansTask) and isinstance(task.net, Tsn)):
        return load_initial(task.net, weights)
    fresh = load_initial(task.net, weights, fresh=(FIRST_CONVOLUTION,))
    hyperparameters = task.numbers
    if (
        FIRST_CONVOLUTION in fresh
        and isinstance(hyperparameters, TsnFlowNumbers)
        and hyperparameters.first_convolution == "mean"
    ):
        stored = load_network(weights).net.state_dict()[FIRST_CONVOLUTION]  # (64, 3, 7, 7)
        weight = task.net.state_dict()[FIRST_CONVOLUTION]  # (64, 10, 7, 7)
        weight.copy_(stored.mean(dim=1, keepdim=True).expand_as(weight))
        return tuple(name for name in fresh if name != FIRST_CONVOLUTION)
    return fresh


def _start_backbone(task: BaselineTask, weights: Path) -> tuple[str, ...]:
    """Initialise the baseline from a Tsn, whose ResNet has the same layers with other names, or from a baseline."""
    file = load_network(weights)
    if not isinstance(file.net, Tsn):
        return load_initial(task.net, weights, labels=task.labels())
    assert isinstance(task.net, Baseline)
    stored = {_resnet_name(name): value for name, value in file.net.backbone.state_dict().items()}
    expected = task.net.backbone.state_dict()
    for name in sorted(set(expected) ^ set(stored)) or (n for n in expected if expected[n].shape != stored[n].shape):
        raise WeightsError(f"{weights}: cannot start from it: {name} is missing, unused or of another shape")
    task.net.backbone.load_state_dict(stored)
    return tuple(name for name in task.net.state_dict() if not name.startswith("backbone."))


def _resnet_name(name: str) -> str:
    """Convert a parameter name of Tsn to that of ResNet: layer1.0.conv2.bn.weight -> layer1.0.bn2.weight."""
    name = name.replace("downsample.conv.", "downsample.0.").replace("downsample.bn.", "downsample.1.")
    return re.sub(r"conv(\d)\.bn\.", r"bn\1.", re.sub(r"conv(\d)\.conv\.", r"conv\1.", name))
