from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from actparse.core.errors import ConfigError, DataError
from actparse.core.files import file_sha256
from actparse.data.evaluation import evaluate
from actparse.data.kinetics_tps import KineticsTps, read_frame_truth
from actparse.synth import dataset
from actparse.synth.actions.registry import ACTIONS
from actparse.synth.dataset import (
    BENCHMARKS,
    EARLIER_GENERATORS,
    GENERATOR,
    DatasetPlan,
    SplitPlan,
    is_synthetic,
    plan_splits,
    plan_videos,
    read_plan,
    video_path,
    write_dataset,
    write_video,
)
from actparse.video.decode import probe

PLAN = DatasetPlan((SplitPlan("train", 1, 3), SplitPlan("test", 1, 3)), look="plain", body="tubes")
ONE = replace(PLAN, splits=PLAN.splits[:1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synth")
    with pytest.MonkeyPatch.context() as patch:  # short videos: the rest is the same
        patch.setattr(dataset, "MIN_FRAMES", 12)
        patch.setattr(dataset, "MAX_FRAMES", 14)
        write_dataset(root, PLAN)
    return root


def test_the_folders_are_those_of_kinetics_tps(made: Path) -> None:
    data = KineticsTps(made)
    assert data.splits == ("train", "test")
    (record,) = data.videos("train")
    assert record.action == ACTIONS[0]
    info = probe(record.path)
    assert (info.width, info.height, info.mean_fps) == (320, 240, pytest.approx(10.0))
    assert len(list(record.annotation_dir.iterdir())) == info.num_frames
    for person in read_frame_truth(record.frame_path(0)).persons:
        assert person.keypoints is not None
        assert person.identity is not None
    assert {"none", "step_on"} & set(data.states)
    assert "barbell" in {item.name for item in read_frame_truth(record.frame_path(0)).objects}
    assert "barbell" in (made / "list" / "object.txt").read_text().split()


def test_the_truth_scores_itself_perfectly(made: Path) -> None:
    for split in ("train", "test"):
        assert evaluate(made, made / f"{split}_truth", split=split).roc_score == pytest.approx(0.9999)


def test_a_video_can_be_made_alone(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MIN_FRAMES", 12)
    monkeypatch.setattr(dataset, "MAX_FRAMES", 14)
    (video,) = PLAN.videos("test")
    manifest = json.loads((made / "manifest.json").read_text())
    record = manifest["videos"][video.name]
    assert write_video(tmp_path, video) == record["annotation_sha256"]
    assert file_sha256(video_path(tmp_path, video)) == record["video_sha256"]


MAKE_SHORT_VIDEOS = """
import sys
from pathlib import Path
from actparse.synth import dataset
dataset.MIN_FRAMES = dataset.MAX_FRAMES = 3
plan = dataset.DatasetPlan((dataset.SplitPlan("train", 2, 5),))
dataset.write_dataset(Path(sys.argv[1]), plan, processes=int(sys.argv[2]))
"""


def test_the_same_files_with_other_threads_and_other_processor_features(tmp_path: Path) -> None:
    avx512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": avx512}
    two = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    manifests = []
    for name, settings in (("1", one), ("2", two)):
        command = [sys.executable, "-W", "ignore", "-c", MAKE_SHORT_VIDEOS, str(tmp_path / name), name]
        subprocess.run(command, env={**os.environ, **settings}, check=True)
        manifests.append((tmp_path / name / "manifest.json").read_text())
    assert manifests[0] == manifests[1]
    assert len(json.loads(manifests[0])["videos"]) == 2
    for path in tmp_path.rglob("*.mp4"):
        assert b" threads=1 lookahead_threads=1 " in path.read_bytes()  # x264 writes its settings into the stream


def test_another_plan_needs_another_folder(made: Path) -> None:
    with pytest.raises(DataError, match=r"plan\.json: needs the plan"):
        write_dataset(made, replace(PLAN, splits=(SplitPlan("train", 1, 4),)))


def test_plans() -> None:
    assert plan_splits(10, seed=1) == (SplitPlan("train", 8, 1), SplitPlan("test", 2, 1))
    assert plan_splits(3, seed=1, test_share=1.0) == (SplitPlan("test", 3, 1),)
    for benchmark, count in (("SynthTPS-v1", 832), ("SynthTPS-v2", 1344)):
        videos = BENCHMARKS[benchmark].videos()
        assert len({video.name for video in videos}) == len({video.seed for video in videos}) == count
    longer = plan_videos(SplitPlan("train", 5, 1))
    assert longer[:3] == plan_videos(SplitPlan("train", 3, 1))
    with pytest.raises(ConfigError, match="videos must be at least 1"):
        plan_splits(0, seed=1)
    with pytest.raises(ConfigError, match=r"test_share must be 0\.\.1"):
        plan_splits(1, seed=1, test_share=2)


def test_another_look_is_another_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MIN_FRAMES", 2)
    monkeypatch.setattr(dataset, "MAX_FRAMES", 2)
    manifest = write_dataset(tmp_path, DatasetPlan(ONE.splits))
    plan = json.loads(manifest.read_text())["plan"]
    assert (plan["generator"], plan["look"], plan["body"]) == (GENERATOR, "video", "mesh")
    assert read_plan(tmp_path) == DatasetPlan(ONE.splits)
    with pytest.raises(DataError, match=r"plan\.json: needs the plan.*choose another folder"):
        write_dataset(tmp_path, ONE)
    with pytest.raises(ConfigError, match=r"scene\.look must be one of plain, varied"):
        replace(ONE, look="odd")


@pytest.mark.parametrize("generator", EARLIER_GENERATORS)
def test_data_of_earlier_versions_can_be_used_but_not_made(generator: str, tmp_path: Path) -> None:
    plan = replace(ONE, generator=generator)
    plan.write_file(tmp_path)
    assert read_plan(tmp_path) == plan
    assert is_synthetic(tmp_path)
    with pytest.raises(DataError, match=f"{generator} can no longer be made, only {GENERATOR}"):
        write_dataset(tmp_path, plan)


def test_the_first_benchmark_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MIN_FRAMES", 2)
    monkeypatch.setattr(dataset, "MAX_FRAMES", 2)
    plan = BENCHMARKS["SynthTPS-v1"]
    assert [video.action for video in plan.videos("test")[17:19]] == ["hammer_throw", "deadlifting"]
    small = replace(plan, splits=(SplitPlan("test", 1, 1001),))
    write_dataset(tmp_path, small)
    assert is_synthetic(tmp_path)
    assert read_plan(tmp_path) == small
    assert not any("objects" in path.read_text() for path in (tmp_path / "test_annotations").rglob("*.json"))
    assert small.to_dict() == {"generator": "SynthTPS-1.1", "splits": {"test": {"count": 1, "seed": 1001}}, "v1": True}
