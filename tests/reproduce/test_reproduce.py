"""The paper's tables: what they are measured on, what methods share, how they are written, and one from end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from actparse.core.errors import ConfigError, DataError, TrainingError, WeightsError
from actparse.core.files import file_sha256
from actparse.core.progress import discard_line
from actparse.core.vocabulary import GROUPS
from actparse.data.kinetics_tps import frame_name
from actparse.data.submission import true_humans
from actparse.nets import csn
from actparse.parser import Parser, ParserConfig
from actparse.reproduce import ReproduceOptions, reproduce
from actparse.reproduce import run as run_module
from actparse.reproduce.computing import GIGA_MACS_IN_CROPS, compute_figures, with_compute_shares
from actparse.reproduce.evaluation import Variant, held_out_videos, score_methods
from actparse.reproduce.methods import PRETRAINED, RULES, table_1, table_3, with_object_detector
from actparse.reproduce.reuse import start_of_objects
from actparse.reproduce.writing import Row, Table
from actparse.stages.actions.classifier import ClipClassifier, StateRecognizer
from actparse.stages.loading import bundle_folder
from actparse.stages.together.integrate import with_prior_states
from actparse.synth.dataset import PLAN_FILE, DatasetPlan
from actparse.training import RECIPES, TrainOptions
from actparse.training.recipes.paper_clips import PaperCsn
from actparse.training.recipes.registry import recipe_of
from actparse.training.run_folder import Plan, RunFolder, write_json
from actparse.training.runs.jobs import Job
from actparse.weights.bundle import config_to_dict
from training.miniature import write_miniature


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=3)


def test_a_table_is_measured_on_the_annotated_split(data: Path) -> None:
    videos = held_out_videos(data)
    assert {video.record.path.parts[-3] for video in videos} == {"val_videos"}
    assert len(videos) == 6
    assert all(sorted(video.truth) == list(range(0, 32, 5)) for video in videos)
    assert [video.record.name for video in held_out_videos(data, limit=2)] == [v.record.name for v in videos[:2]]


def test_without_another_split_a_part_of_train_is_held_out(data: Path, tmp_path: Path) -> None:
    for folder in ("train_videos", "train_annotations"):
        (tmp_path / folder).symlink_to(data / folder)
    (tmp_path / "test_videos" / "lunge").mkdir(parents=True)  # as Kinetics-TPS: test has no annotation
    assert len(held_out_videos(tmp_path)) == 1
    with pytest.raises(DataError, match="needs annotated videos of test to measure on, got none"):
        held_out_videos(tmp_path, split="test")


def test_a_table_can_be_measured_by_the_files_of_the_evaluator(data: Path, random_bundle: Path, tmp_path: Path) -> None:
    root, truth = shutil.copytree(data, tmp_path / "data"), tmp_path / "truth"
    expected = held_out_videos(data, limit=2)
    frames = {v.record.name: {frame_name(n): true_humans(f) for n, f in v.truth.items()} for v in expected}
    actions = {video.record.name: video.record.action for video in expected}
    write_json(truth / "gt_vid_result.json", actions)
    write_json(truth / "gt_part_result.json", frames)
    (root / "val_videos").rename(root / "test_videos")  # as Kinetics-TPS: test has no annotation of frames
    shutil.rmtree(root / "val_annotations")
    write_finished_parts(tmp_path / "out", random_bundle, steps=3)
    training = TrainOptions(steps=3, device="cpu", report=discard_line)
    options = ReproduceOptions(stage_1=random_bundle, training=training, truth=truth)
    table = reproduce("table2", root, tmp_path / "out", options)
    assert table.num_videos == 2
    assert [row.name for row in table.rows] == ["persons", "persons, pose", "parts", "parts, pose"]  # no true keypoints
    (video, _) = held_out_videos(root, truth=truth)
    assert video.truth.keys() == expected[0].truth.keys()
    assert [p.parts for p in video.truth[5].persons] == [p.parts for p in expected[0].truth[5].persons]
    write_json(truth / "gt_vid_result.json", actions | {"nobody": "lunge"})
    with pytest.raises(DataError, match="needs the dataset's video nobody of 'lunge', got no such video"):
        reproduce("table2", root, tmp_path / "out", options)


@pytest.mark.parametrize("size", ["tiny", "paper"])
def test_every_training_is_a_recipe_and_takes_its_changes(size: str) -> None:
    for method in (*table_1(size), *table_3(size)):  # type: ignore[arg-type]
        for training in method.trainings:
            recipe_of(training.recipe, size, training.changes)
        recipes = {training.recipe for training in method.trainings}
        assert set(method.stage_2.values()) <= recipes


def test_the_baseline_is_trained_with_a_detector_of_objects_if_there_are_any() -> None:
    baseline = with_object_detector(table_1("tiny")[0])
    assert [training.recipe for training in baseline.trainings] == ["objects", "baseline"]
    assert list(baseline.networks(Path("run"))) == ["objects", "baseline"]


def test_methods_share_stage_1(random_bundle: Path, data: Path) -> None:
    first, second = (Parser.load(random_bundle, config=ParserConfig(use_tracks=use)) for use in (False, True))
    prior = {action: {"head": "none"} for action in ("lunge", "push_up")}
    variants = {
        "prior": Variant("segments", lambda parser, observed: with_prior_states(parser.integrate(observed), prior))
    }
    videos = held_out_videos(data, limit=2)
    figures = score_methods({"segments": first, "tracks": second}, videos, variants=variants)
    assert first.timer.seconds["persons"] > 0
    assert second.timer.seconds.get("persons", 0.0) == 0.0
    for method in figures.values():
        assert set(method) == {"roc_score", "video_accuracy", *GROUPS}
        assert 0 <= method["roc_score"] <= 100
    # every part is annotated "none" or "bend"; the segments of this bundle say "bend"
    assert figures["segments"]["head"] == pytest.approx(_share_of_bend(data, "head"))
    assert figures["prior"]["head"] == pytest.approx(100 - _share_of_bend(data, "head"))
    assert figures["prior"]["video_accuracy"] == figures["segments"]["video_accuracy"]


def _share_of_bend(data: Path, part: str) -> float:
    frames = (frame for video in held_out_videos(data, limit=2) for frame in video.truth.values())
    states = [person.parts[part].state for frame in frames for person in frame.persons if part in person.parts]
    return 100 * sum(state == "bend" for state in states) / len(states)


def test_a_table_says_mean_and_spread_beside_the_paper() -> None:
    rows = (
        Row("baseline", {"roc_score": 29.79}, ({"roc_score": 10.0, "video_accuracy": 50.0}, {"roc_score": 20.0})),
        Row("PCF, ip-CSN", {"video_accuracy": 96.46, "roc_score": 60.89}, ({}, {})),
    )
    table = Table("table1", "tiny", "data", "70 steps", 8, (0, 1), rows)
    assert "| baseline | 50.00 | - | 15.00 (10.00-20.00) | 29.79 |" in table.to_markdown()
    assert "| PCF, ip-CSN | - | 96.46 | - | 60.89 |" in table.to_markdown()
    figures = json.loads(json.dumps(table.to_dict(), allow_nan=False))["rows"][0]["figures"]
    assert "Size tiny, 70 steps for each training, data, 8 held-out videos, seeds 0, 1." in table.to_markdown()
    assert figures["roc_score"] == {"by_seed": [10.0, 20.0], "mean": 15.0, "lowest": 10.0, "highest": 20.0}
    figure = table.to_svg()
    assert figure.count('class="bar series-2"') == 3  # the paper's values
    assert figure.count('class="range"') == 1  # of two seeds
    assert figure.count(">none</text>") == 2  # ip-CSN was not measured


def test_what_cannot_be_made_says_why(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs one of table1, table2, table3, got 'table4'"):
        reproduce("table4", data, tmp_path, ReproduceOptions())
    with pytest.raises(ConfigError, match="seeds must be numbers that differ"):
        ReproduceOptions(seeds=(1, 1))
    with pytest.raises(ConfigError, match="share must be greater than 0, got 0"):
        ReproduceOptions(share=0)
    with pytest.raises(ConfigError, match=r"share needs size tiny, and no steps or minutes, got 0\.1"):
        ReproduceOptions(share=0.1, size="paper")


def write_finished_parts(out: Path, bundle: Path, *, steps: int) -> Path:
    """The run of Table II's seed 0, as if both part detectors were trained."""
    run = out / "seed-0" / "parts"
    run.mkdir(parents=True)
    for name in ("parts", "parts-without-dots"):
        shutil.copy(bundle / "parts.safetensors", run / f"{name}.safetensors")
        (run / f"{name}_metrics.json").write_text(json.dumps({"steps": steps}))
    return run


def test_a_seed_is_measured_once(data: Path, random_bundle: Path, tmp_path: Path) -> None:
    def persons_ap() -> float:
        training = TrainOptions(steps=3, device="cpu", report=discard_line)
        table = reproduce("table2", data, tmp_path, ReproduceOptions(stage_1=random_bundle, training=training, limit=2))
        return table.rows[0].values("ap")[0]

    write_finished_parts(tmp_path, random_bundle, steps=3)
    measured, kept = persons_ap(), tmp_path / "seed-0" / "table2.json"
    known = json.loads(kept.read_text())
    known["figures"]["persons"]["ap"] = measured + 12
    kept.write_text(json.dumps(known))
    assert persons_ap() == measured + 12
    known["of"]["networks"]["poses"] = "of other weights"
    kept.write_text(json.dumps(known))
    assert persons_ap() == measured


def test_networks_of_another_length_or_another_stage_1_are_not_taken(
    data: Path, random_bundle: Path, tmp_path: Path
) -> None:
    def again(steps: int | None) -> None:
        training = TrainOptions(steps=steps, device="cpu", report=discard_line)
        reproduce("table2", data, tmp_path, ReproduceOptions(stage_1=random_bundle, training=training))

    run = write_finished_parts(tmp_path, random_bundle, steps=3)
    again(3)
    assert json.loads((tmp_path / "table2.json").read_text())["dataset"] == data.name
    with pytest.raises(TrainingError, match=r"parts\.safetensors: the run has 3 steps, got 2; use a different --out"):
        again(2)
    with pytest.raises(TrainingError, match="got 12500"):
        again(None)
    (run / "poses.safetensors").write_bytes(b"of another stage 1")
    with pytest.raises(TrainingError, match=r"poses\.safetensors: is another network than"):
        again(3)


def test_a_network_that_started_from_others_is_not_taken(data: Path, random_bundle: Path, tmp_path: Path) -> None:
    run = tmp_path / "seed-0" / "csn"
    run.mkdir(parents=True)
    shutil.copy(random_bundle / "action.safetensors", run / "action.safetensors")
    training = TrainOptions(steps=3, device="cpu", report=discard_line)
    metrics = run / "action_metrics.json"
    metrics.write_text(json.dumps({"steps": 3}))
    changed = recipe_of("action", "tiny", {"learning_rate": "3e-4"}).hyperparameters
    record = RunFolder(run, "action").plan
    write_json(record, asdict(Plan(3, 0, 16, hyperparameters=config_to_dict(changed))))
    with pytest.raises(
        TrainingError, match=r"recipe\.json: the run has learning_rate 0\.0003, got 0\.0025; use a diff"
    ):
        reproduce("table1", data, tmp_path, ReproduceOptions(stage_1=random_bundle, training=training))
    record.unlink()
    metrics.write_text(json.dumps({"steps": 3, "rendered_clips": 120}))
    with pytest.raises(
        TrainingError, match=r"action\.safetensors: the run saw 120 rendered clips, got 0; use a different --out"
    ):
        reproduce("table1", data, tmp_path, ReproduceOptions(stage_1=random_bundle, training=training))
    metrics.write_text(json.dumps({"steps": 3, "start": "of rendered clips"}))
    with pytest.raises(TrainingError, match=r"action\.safetensors: the run did not start from random weights"):
        reproduce("table1", data, tmp_path, ReproduceOptions(stage_1=random_bundle, training=training))


def test_table_2_has_part_detectors_of_its_own(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def stop(jobs: Mapping[str, Job], **rest: Any) -> None:
        asked.append([job.recipe for job in jobs.values()])
        raise TrainingError("stopped")

    monkeypatch.setattr(run_module, "run_jobs", stop)
    for table in ("table2", "table1"):
        with pytest.raises(TrainingError, match="stopped"):
            reproduce(table, data, tmp_path, ReproduceOptions(training=TrainOptions(steps=1, report=discard_line)))
    assert asked == [["persons", "poses"], ["persons", "poses", "parts"]]


def test_what_is_missing_is_said_before_the_first_training(data: Path, tmp_path: Path) -> None:
    def table(name: str, init: Path | None) -> None:
        training = TrainOptions(size="paper", steps=1, device="cpu", init=init, report=discard_line)
        reproduce(name, data, tmp_path / "out", ReproduceOptions(size="paper", training=training))

    with pytest.raises(DataError, match=r"flow: no such folder; TSN on flow needs"):
        table("table1", None)
    (tmp_path / "imported").mkdir()
    with pytest.raises(WeightsError, match=r"imported/yolof\.safetensors: no such file; `actparse weights import`"):
        table("table3", tmp_path / "imported")
    assert not (tmp_path / "out").exists()


def test_ip_csn_starts_from_a_bundle_in_place_of_a_pre_training(
    data: Path, random_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inits: dict[str, Path | None] = {}

    def stop(jobs: Mapping[str, Job], **rest: Any) -> None:
        inits.update({f"{job.out.name}/{job.recipe}": job.options.init for job in jobs.values()})
        raise TrainingError("stopped")

    monkeypatch.setattr(run_module, "run_jobs", stop)
    monkeypatch.setattr(run_module, "have_objects", lambda *_, **__: True)
    training = TrainOptions(steps=1, init=random_bundle, report=discard_line)
    options = ReproduceOptions(stage_1=random_bundle, training=training)
    with pytest.raises(TrainingError, match="stopped"):
        reproduce("table1", data, tmp_path, options)
    action = random_bundle / "action.safetensors"
    others = ["baseline/baseline", "tsn-rgb/action-tsn-rgb", "tsn-flow/action-tsn-flow"]
    tiny_persons = bundle_folder("tiny") / "persons.safetensors"
    others.append("baseline/objects")
    assert inits == {"csn/action": action, **dict.fromkeys(others)}  # the random detector has another backbone
    assert start_of_objects(tiny_persons) == tiny_persons
    assert start_of_objects(bundle_folder("people") / "persons.safetensors") is None
    (tmp_path / "empty").mkdir()
    empty = replace(options, training=replace(training, init=tmp_path / "empty"))
    with pytest.raises(WeightsError, match=r"--init: needs a folder with action\.safetensors, got .*empty"):
        reproduce("table1", data, tmp_path, empty)
    with pytest.raises(ConfigError, match="--init at size tiny is for Tables I and III, got table2"):
        reproduce("table2", data, tmp_path, options)


def test_computing_is_held_against_that_of_frames() -> None:
    figures = with_compute_shares({"frame": {"giga_macs": 20.0}, "segment, 3 s": {"giga_macs": 7.0}})
    assert {name: row["compute_share"] for name, row in figures.items()} == {"frame": 100.0, "segment, 3 s": 35.0}
    printed = [method.paper["compute_share"] for method in table_3("paper")]
    assert printed == pytest.approx([100, 31.84, 9.64], abs=0.005)  # the text claims a saving of 68.16 %
    assert with_compute_shares({"baseline": {"roc_score": 1.0}}) == {"baseline": {"roc_score": 1.0}}


def test_full_size_rows_have_the_computing_of_both_inputs() -> None:
    with torch.device("meta"):
        head = ClipClassifier(csn(152, num_classes=24), [("lunge", "none")], PaperCsn().stage())
    states, config = StateRecognizer({"head": head}), ParserConfig(segment_seconds=10.0)
    figures = compute_figures(states, config, RULES["paper"].crop)
    assert figures[GIGA_MACS_IN_CROPS] == pytest.approx(3498 / 6, abs=0.2)  # "Segment, 10.0 s" has 3.482 T for six
    assert figures["giga_macs"] / figures[GIGA_MACS_IN_CROPS] == pytest.approx(1.77, abs=0.01)
    assert set(compute_figures(states, config, RULES["tiny"].crop)) == {"giga_macs"}

    def text(metrics: dict[str, float]) -> str:
        return Table("table3", "paper", "data", "", 8, (0,), (Row("segment", {}, (metrics,)),)).to_markdown()

    assert "| G MAC | G MAC in crops of 224 | computing, % of frames |" in text(figures)
    assert "| G MAC | computing, % of frames |" in text({"giga_macs": 1.0})


def test_rendered_clips_are_said_in_the_table() -> None:
    def text(name: str, num_clips: int, initial: str = "") -> str:
        table = Table(name, "tiny", "data", "70 steps", 8, (0,), (), num_rendered_clips=num_clips, initial=initial)
        return table.to_markdown()

    assert "70 steps for each training, data, 8 held-out" in text("table1", 0)
    assert "ip-CSN pre-trained on 6,000 rendered clips and fine-tuned among them, data, 8" in text("table1", 6000)
    assert "Table I's ip-CSN, which was pre-trained on 6,000 rendered clips, data, 8" in text("table3", 6000)
    assert "ip-CSN starts from the action network of tiny, fine-tuned among 600 rendered clips, data" in text(
        "table1", 600, "tiny"
    )
    assert "Table I's ip-CSN, which started from the action network of tiny, data, 8" in text("table3", 600, "tiny")


def test_only_what_starts_from_rendered_clips_sees_them_again() -> None:
    trainings = {method.folder: method.trainings for method in (*table_1("tiny"), *table_3("tiny"))}
    seen = {folder: [training.sees_rendered_clips for training in each] for folder, each in trainings.items()}
    assert seen == {"csn": [True], **{folder: [False] for folder in set(seen) - {"csn"}}}
    assert PRETRAINED.training.sees_rendered_clips


def hyperparameters(run: Path) -> dict[str, Any]:
    """The record of the action network's training."""
    record: dict[str, Any] = json.loads((run / "action" / "recipe.json").read_text())["hyperparameters"]
    return record


@pytest.mark.slow
def test_ip_csn_starts_from_rendered_clips_that_all_seeds_share(data: Path, tmp_path: Path) -> None:
    synthetic = tmp_path / "data"
    shutil.copytree(data, synthetic)
    (synthetic / PLAN_FILE).write_text(json.dumps(DatasetPlan(()).to_dict()))
    training = TrainOptions(steps=1, device="cpu", stream_clips=1, report=discard_line)
    options = ReproduceOptions(seeds=(1, 2), stage_1="tiny", limit=1, training=training)
    reproduce("table3", synthetic, tmp_path / "out", options)
    shared = file_sha256(tmp_path / "out" / "pretrained" / "action-pretrained.safetensors")
    for seed in options.seeds:
        run = tmp_path / "out" / f"seed-{seed}"
        fine_tuned = json.loads((run / "csn" / "action_metrics.json").read_text())
        assert fine_tuned["start"] == shared
        assert hyperparameters(run / "csn")["learning_rate"] == 3e-4
        level = json.loads((run / "segment-3" / "action_metrics.json").read_text())
        assert level["start"] == file_sha256(run / "csn" / "action.safetensors")
        assert hyperparameters(run / "segment-3")["segment_seconds"] == 3.0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seeds"), [("table1", (0,)), ("table2", (0, 1)), ("table3", (0,))])
def test_a_table_from_training_to_its_files(name: str, seeds: tuple[int, ...], data: Path, tmp_path: Path) -> None:
    training = TrainOptions(steps=1, device="cpu", report=discard_line)
    options = ReproduceOptions(seeds=seeds, stage_1="tiny", limit=2, training=training)
    table = reproduce(name, data, tmp_path, options)
    for row in table.rows:
        for figure in row.paper:
            assert len(row.values(figure)) == len(seeds)
    assert (tmp_path / f"{name}.md").read_text().count("\n| ") == len(table.rows) + 1
    if name == "table3":  # each level starts from Table I's network, which is trained first where it is missing
        assert (tmp_path / "seed-0" / "csn" / "action.safetensors").is_file()
    again = reproduce(name, data, tmp_path, options)  # nothing is trained again
    assert again.to_dict() == table.to_dict()


def test_a_share_is_of_every_recipes_own_steps(data: Path, random_bundle: Path, tmp_path: Path) -> None:
    write_finished_parts(tmp_path, random_bundle, steps=(RECIPES["tiny"]["parts"].steps or 0) // 50)
    training = TrainOptions(device="cpu", report=discard_line)
    options = ReproduceOptions(stage_1=random_bundle, training=training, share=0.02, limit=2)
    text = reproduce("table2", data, tmp_path, options).to_markdown()
    assert "0.02 of the recipe's own steps for each training" in text
    assert "\n| parts, dots of the truth | " in text
    with pytest.raises(TrainingError, match="the run has 250 steps, got 500"):
        reproduce("table2", data, tmp_path, ReproduceOptions(stage_1=random_bundle, training=training, share=0.04))
