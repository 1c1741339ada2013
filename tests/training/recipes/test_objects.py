"""The object detector's recipe: samples, a few steps, its file, a parse that lists objects, the baseline's boxes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from actparse import Parser
from actparse.core.errors import DataError, WeightsError
from actparse.data.frames.index import VideoIndex, open_index
from actparse.inspection.compute import VideoShape, bundle_costs
from actparse.inspection.models import describe
from actparse.stages.loading import load_bundle
from actparse.training import run_recipe
from actparse.training.recipes.baseline import BaselineTask, TinyBaseline, true_frame
from actparse.training.recipes.objects import ObjectsTask, PaperObjects
from actparse.training.runs.bundles import assemble_complete
from actparse.weights.bundle import load_network, save_network
from bundles import write_random_baseline
from training.miniature import NUM_FRAMES, OBJECTS, write_miniature
from training.small import SMALL_PERSONS, paper_options, tiny_options

SMALL = PaperObjects(depth=18, short_side=96, long_side=160, max_shift=8, batch_size=2, num_gpus=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1, with_objects=True)


@pytest.fixture(scope="module")
def frames(data: Path) -> VideoIndex:
    return open_index(data, "train", cache=data / ".cache").select(range(2), stride=5)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two steps of each recipe."""
    out = tmp_path_factory.mktemp("run")
    for recipe in ("objects", "baseline"):
        run_recipe(recipe, data, out, tiny_options())
    return out


def test_samples_are_the_frames_with_an_object(frames: VideoIndex) -> None:
    task = ObjectsTask(frames, frames, SMALL)
    assert task.names == ("ball", "bar")
    assert task.num_samples == 2 * len(range(0, NUM_FRAMES // 2, 5))
    assert task.net.config.num_classes == 2
    labels = set()
    for row in range(task.num_samples):
        sample = task.sample(row, np.random.default_rng(row))
        x1, y1, x2, y2 = sample.boxes[0].astype(int)
        inside = sample.image[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].astype(int)
        assert inside[..., :2].mean() > 200  # yellow
        assert inside[..., 2].mean() < 80
        labels.add(task.names[sample.labels[0]])
    assert labels == {"ball", "bar"}


def test_objects_of_other_videos_only_are_not_learnt(frames: VideoIndex) -> None:
    train, other = frames.select([0]), frames.select([1])
    task = ObjectsTask(train, other, SMALL)
    assert task.names == ("ball",)
    assert len(task.truth(train, 0)) == 1
    assert len(task.truth(other, 0)) == 0


def test_data_without_objects_are_an_error(frames: VideoIndex) -> None:
    with pytest.raises(DataError, match="objects: the training split has no annotated object"):
        ObjectsTask(frames.without_annotations(), frames, SMALL)


@pytest.mark.slow
def test_the_paper_size_trains_and_measures(data: Path, tmp_path: Path) -> None:
    metrics = run_recipe("objects", data, tmp_path, paper_options(SMALL_PERSONS, steps=1))
    assert set(metrics["ap50_by_class"]) == {"ball", "bar"}
    assert (metrics["frames"], metrics["objects"]) == (2 * len(range(0, NUM_FRAMES, 5)), 2 * 4)
    assert load_network(tmp_path / "objects.safetensors").settings["max_objects"] == 10
    for name in ("persons", "poses", "parts", "baseline"):  # of a bundle, which gets objects as they are trained
        shutil.copy(tmp_path / "objects.safetensors", tmp_path / f"{name}.safetensors")
        shutil.copy(tmp_path / "objects_metrics.json", tmp_path / f"{name}_metrics.json")
    (bundle,) = assemble_complete("paper", tmp_path, lambda line: None)
    assert (bundle.name, (bundle / "objects.safetensors").is_file()) == ("bundle-baseline", True)


def test_a_bundle_with_objects_lists_them(run: Path, random_bundle: Path, small_video: Path, tmp_path: Path) -> None:
    bundle = write_random_baseline(tmp_path / "bundle", random_bundle)
    without = Parser.load(bundle).parse(small_video)
    shutil.copy(run / "baseline.safetensors", bundle)
    file = load_network(run / "objects.safetensors")
    settings = {**file.settings, "min_score": 0.0}  # after two steps, no score is high
    save_network(bundle / "objects.safetensors", file.net, kind="objects", settings=settings, labels=file.labels)
    parser = Parser.load(bundle)
    assert parser.bundle.baseline is not None
    assert parser.bundle.baseline.objects == {"ball", "bar"}
    parse = parser.parse(small_video)
    assert parser.timer.seconds["objects"] > 0
    assert [frame.objects for frame in without.frames] == [()] * len(without.frames)
    for frame, same in zip(parse.frames, without.frames, strict=True):
        assert 0 < len(frame.objects) <= 10
        assert {item.name for item in frame.objects} <= {"ball", "bar"}
        scores = [item.score for item in frame.objects]
        assert scores == sorted(scores, reverse=True)
        assert [person.box for person in frame.persons] == [person.box for person in same.persons]
    assert describe(bundle).objects == ("ball", "bar")
    assert "objects" in [cost.name for cost in bundle_costs(parser.bundle, VideoShape())]
    save_network(bundle / "objects.safetensors", file.net, kind="objects", settings=settings, labels={"objects": ["x"]})
    with pytest.raises(WeightsError, match=r"objects: labels.objects must be 2 names, got \['x'\]"):
        load_bundle(bundle)


def test_the_baseline_learns_from_true_objects(frames: VideoIndex) -> None:
    task = BaselineTask(frames, frames, TinyBaseline())
    assert task.labels()["objects"] == ["ball", "bar"]
    batch = task.batch(np.random.default_rng(0))
    counts = [len(objects) for objects in batch["objects"]]
    assert 0 < sum(counts) <= 3 * len(counts)
    assert [len(segments) for segments in batch["object_segments"]] == counts
    for objects, segments, images in zip(batch["objects"], batch["object_segments"], batch["images"], strict=True):
        for (x1, y1, x2, y2), segment in zip(objects.int().tolist(), segments.tolist(), strict=True):
            inside = images[segment, y1 + 6 : y2 - 6, x1 + 6 : x2 - 6].float()
            assert inside.std(dim=(0, 1)).max() < 30  # one block
    net = task.net.train()
    losses = task.losses(net, batch)
    torch.stack(list(losses.values())).sum().backward()
    kinds = net.kinds.weight.grad
    assert kinds is not None
    assert kinds[-1].abs().sum() > 0  # the vector of the kind "object"
    frame = true_frame(frames, frames.frames_of(1)[0])
    assert [(item.name, list(item.box), item.score) for item in frame.objects] == [(*OBJECTS["push_up"], 1.0)]
