from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from actparse import Parser
from actparse.core.errors import ConfigError, VideoError, WeightsError
from actparse.core.structures import VideoParse, json_schema
from actparse.core.vocabulary import PARTS
from actparse.metrics.calibration import Calibration
from actparse.parser import ParserConfig
from actparse.stages.actions.classifier import clip_image
from actparse.stages.inputs import InputNorm
from actparse.stages.loading import BUNDLE_FILE, load_bundle
from actparse.video.decode import read_frames
from actparse.video.encode import VideoWriter
from actparse.weights.bundle import config_to_dict, load_network, save_network
from bundles import ACTIONS, BASELINE_STATES, TRACK_STATES, write_random_baseline


@pytest.fixture(scope="module")
def parser(random_bundle: Path) -> Parser:
    return Parser.load(random_bundle, device="cpu")


@pytest.fixture(scope="module")
def parse(parser: Parser, small_video: Path) -> VideoParse:
    return parser.parse(small_video)


def test_a_parse_is_whole(parse: VideoParse) -> None:
    assert [frame.index for frame in parse.frames] == list(range(0, 70, 5))
    assert [frame.time_seconds for frame in parse.frames] == pytest.approx(np.arange(0, 7, 0.5).tolist())
    assert sum(parse.action_scores.values()) == pytest.approx(1, abs=1e-5)
    assert parse.action == max(parse.action_scores, key=lambda name: parse.action_scores[name])
    persons = [person for frame in parse.frames for person in frame.persons]
    assert persons
    for person in persons:
        assert [part.name for part in person.parts] == list(PARTS)
        assert all(part.state in TRACK_STATES for part in person.parts)
    assert all(len({p.track_id for p in frame.persons}) == len(frame.persons) <= 10 for frame in parse.frames)


def test_without_tracks_all_persons_share_the_states_of_their_segment(random_bundle: Path, small_video: Path) -> None:
    parser = Parser.load(random_bundle, device="cpu", config=ParserConfig(use_tracks=False))
    parts = [part for frame in parser.parse(small_video).frames for person in frame.persons for part in person.parts]
    assert {part.state for part in parts} == {"bend"}
    assert {part.state for f in parser.stream(small_video) for person in f.persons for part in person.parts} == {"bend"}


def test_a_bundle_may_lack_the_network_on_keypoints(random_bundle: Path, small_video: Path, tmp_path: Path) -> None:
    shutil.copytree(random_bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("tracks.*"))
    parse = Parser.load(tmp_path / "bundle", device="cpu").parse(small_video)
    assert {part.state for frame in parse.frames for person in frame.persons for part in person.parts} == {"bend"}


@pytest.fixture(scope="module")
def tracks_bundle(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks-only") / "bundle"
    shutil.copytree(random_bundle, folder, ignore=shutil.ignore_patterns("action*", "states-*"))
    return folder


def test_a_bundle_may_lack_the_networks_on_clips(tracks_bundle: Path, small_video: Path) -> None:
    parser = Parser.load(tracks_bundle, device="cpu")
    observed = parser.observe(small_video)
    parse = parser.integrate(observed)
    assert parse.action_scores == pytest.approx(observed.track_scores)
    assert set(parse.action_scores) == set(ACTIONS)
    parts = [part for frame in parse.frames for person in frame.persons for part in person.parts]
    assert all(part.state in TRACK_STATES for part in parts)
    for segment in parse.segments:
        assert set(segment.states) == set(PARTS)
        assert set(segment.states.values()) <= set(TRACK_STATES)
    streamed = list(parser.stream(small_video))
    assert [frame.index for frame in streamed] == [frame.index for frame in parse.frames]


def test_without_clips_and_tracks_there_is_nothing_to_name_an_action_by(tracks_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="use_tracks must be True with the weights 'random'"):
        Parser.load(tracks_bundle, device="cpu", config=ParserConfig(use_tracks=False))


def test_with_tiles_small_frames_are_parsed_as_without(random_bundle: Path, small_video: Path) -> None:
    tiled = Parser.load(random_bundle, device="cpu", config=ParserConfig(tiles=True, stride=20))
    whole = Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=20))
    assert tiled.parse(small_video).frames == whole.parse(small_video).frames


def test_the_action_joins_clips_and_tracks(parser: Parser, small_video: Path, parse: VideoParse) -> None:
    observed = parser.observe(small_video)
    assert parser.integrate(observed, use_tracks=False).action_scores == observed.clip_scores
    for action, score in parse.action_scores.items():
        assert score == pytest.approx(0.2 * observed.clip_scores[action] + 0.8 * observed.track_scores[action])


def test_states_may_be_conditioned_on_the_action(random_bundle: Path, small_video: Path) -> None:
    bundle = load_bundle(random_bundle, device="cpu")
    heads = {"head": (("lunge", "bend"), ("push_up", "none"))}
    labels = replace(bundle.labels, group_labels={**bundle.labels.group_labels, **heads})
    parser = Parser(replace(bundle, labels=labels), ParserConfig(use_tracks=False))
    observed = parser.observe(small_video, time_range=(0.0, 1.0))
    scores = {**observed.segments[0].group_scores, "head": np.array([0.6, 0.4], np.float32)}
    segments = (replace(observed.segments[0], group_scores=scores),)
    observed = replace(observed, segments=segments, clip_scores={"lunge": 0.1, "push_up": 0.9})
    assert parser.integrate(observed).segments[0].states["head"] == "none"
    assert parser.integrate(observed, condition_on_action=False).segments[0].states["head"] == "bend"


def calibrated(parser: Parser, calibration: Calibration) -> Parser:
    return Parser(replace(parser.bundle, calibration=calibration))


@pytest.mark.parametrize("use_tracks", [True, False], ids=["tracks", "clips"])
def test_below_the_threshold_no_action_is_asserted(parser: Parser, small_video: Path, use_tracks: bool) -> None:
    observed = parser.observe(small_video)
    known = parser.integrate(observed, use_tracks=use_tracks)
    strict = calibrated(parser, Calibration(temperature=2.0, min_probability=0.999))
    unknown = strict.integrate(observed, use_tracks=use_tracks)
    assert (known.verdict, unknown.verdict, unknown.action) == ("known", "unknown", known.action)
    root = {name: score**0.5 for name, score in known.action_scores.items()}
    assert unknown.action_scores == pytest.approx({name: score / sum(root.values()) for name, score in root.items()})
    assert (unknown.frames, unknown.segments, unknown.reasons) == (known.frames, known.segments, known.reasons)
    assert unknown.explanation.startswith("No known action (closest: ")
    assert VideoParse.from_json(unknown.to_json()) == unknown


def test_an_action_that_only_one_half_shows_is_less_probable(parser: Parser, small_video: Path) -> None:
    consistent = calibrated(parser, Calibration(consistency=1.0))
    observed = consistent.observe(small_video)
    parse = consistent.integrate(observed)
    assert len(observed.half_track_scores) == 2
    weaker = min(half[parse.action] for half in observed.half_track_scores) / observed.track_scores[parse.action]
    assert sum(parse.action_scores.values()) == pytest.approx(min(weaker, 1), rel=1e-5)
    assert parser.observe(small_video, stage_1=observed.frames).half_track_scores == ()
    jsonschema.validate(json.loads(parse.to_json()), json_schema())


@pytest.mark.parametrize("use_tracks", [True, False], ids=["tracks", "clips"])
def test_where_nobody_is_found_nothing_is_asserted(parser: Parser, small_video: Path, use_tracks: bool) -> None:
    observed = parser.observe(small_video)
    assert parser.bundle.tracks is not None
    uniform = dict.fromkeys(parser.bundle.tracks.actions, 1 / len(parser.bundle.tracks.actions))
    empty = tuple(replace(frame, persons=()) for frame in observed.frames)
    parse = parser.integrate(replace(observed, frames=empty, track_scores=uniform), use_tracks=use_tracks)
    assert (parse.verdict, parse.reasons, parse.explanation) == ("nobody", (), "Nobody found.")
    assert parse.action in parse.action_scores
    assert sum(parse.action_scores.values()) == pytest.approx(1, abs=1e-5)
    jsonschema.validate(json.loads(parse.to_json()), json_schema())


def test_a_bundle_without_a_calibration_asserts_its_actions(parser: Parser, parse: VideoParse) -> None:
    assert parser.bundle.calibration == Calibration()
    assert "calibration" not in parse.model
    assert parse.verdict == "known"


def test_segments_divide_the_video_equally(parse: VideoParse) -> None:
    assert [(s.first_frame, s.end_frame) for s in parse.segments] == [(0, 35), (35, 70)]
    assert parse.segments[0].start_seconds == 0.0
    assert parse.segments[-1].end_seconds == pytest.approx(7.0)
    assert set(parse.segments[0].states) == set(PARTS)


def test_it_is_json_of_the_published_schema(parse: VideoParse) -> None:
    jsonschema.validate(json.loads(parse.to_json()), json_schema())
    assert VideoParse.from_json(parse.to_json()) == parse


def test_the_model_is_named_with_its_hashes(parse: VideoParse) -> None:
    assert parse.model["weights"] == "random"
    assert len(parse.model["persons"]) == 64


def test_streaming_finds_the_same(parser: Parser, small_video: Path, parse: VideoParse) -> None:
    streamed = list(parser.stream(small_video))
    assert [frame.index for frame in streamed] == [frame.index for frame in parse.frames]
    for a, b in zip(streamed, parse.frames, strict=True):
        assert [(p.track_id, p.box) for p in a.persons] == [(p.track_id, p.box) for p in b.persons]


def test_a_time_range_keeps_the_numbers_of_the_frames(parser: Parser, small_video: Path) -> None:
    parse = parser.parse(small_video, time_range=(2.0, 4.0))
    assert [frame.index for frame in parse.frames] == [20, 25, 30, 35]
    assert parse.video.num_frames == 20
    assert [(s.first_frame, s.end_frame) for s in parse.segments] == [(20, 40)]


def test_sampling_begins_with_the_first_frame_of_a_time_range(random_bundle: Path, small_video: Path) -> None:
    sparse = Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=50))
    assert [frame.index for frame in sparse.parse(small_video, time_range=(2.2, 4.0)).frames] == [22]


def test_no_network_runs_whose_word_is_not_asked_for(random_bundle: Path, small_video: Path) -> None:
    parser = Parser.load(random_bundle, device="cpu", config=ParserConfig(use_tracks=False))
    assert parser.observe(small_video, time_range=(0, 1)).track_scores == {}
    assert "tracks" not in parser.timer.seconds
    parser = Parser.load(random_bundle, device="cpu")
    assert list(parser.stream(small_video, time_range=(0, 1)))
    assert set(parser.timer.seconds) == {"decode", "persons", "poses", "parts", "identities"}


def test_states_may_stand_without_the_action(parser: Parser, random_bundle: Path, small_video: Path) -> None:
    free = Parser.load(random_bundle, device="cpu", config=ParserConfig(condition_on_action=False))
    observed = parser.observe(small_video, time_range=(0, 1))
    assert parser.bundle.tracks is not None
    alike = np.full(len(parser.bundle.tracks.actions), 1 / len(parser.bundle.tracks.actions), np.float32)
    assert list(free.integrate(observed).frames) == parser.bundle.tracks.with_states(observed.frames, alike)
    told = parser.integrate(observed)
    assert told.action_scores == free.integrate(observed).action_scores
    assert told.frames != free.integrate(observed).frames


def test_progress_counts_frames(parser: Parser, small_video: Path) -> None:
    seen: list[tuple[int, int]] = []
    parser.parse(small_video, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 70) for number in range(1, 71)]


@pytest.mark.parametrize("size", [(33, 47), (200, 40), (40, 200)], ids=["odd", "tall", "wide"])
def test_other_sizes_and_a_single_frame(parser: Parser, tmp_path: Path, size: tuple[int, int]) -> None:
    with VideoWriter(tmp_path / "one.mp4", size=size) as writer:
        writer.write(np.full((*size, 3), 80, np.uint8), 0.0)
    parse = parser.parse(tmp_path / "one.mp4")
    assert len(parse.frames) == len(parse.segments) == 1


def test_what_cannot_be_parsed_is_named(parser: Parser, tmp_path: Path, small_video: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        parser.parse(tmp_path / "none.mp4")
    with pytest.raises(VideoError, match="needs at least one frame in the asked time"):
        parser.parse(small_video, time_range=(100.0, 200.0))
    with pytest.raises(ConfigError, match="stride must be at least 1, got 0"):
        ParserConfig(stride=0)


def test_a_bundle_with_a_missing_file_is_named(random_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text('{"name": "part of one"}')
    (tmp_path / "persons.safetensors").write_bytes((random_bundle / "persons.safetensors").read_bytes())
    with pytest.raises(WeightsError, match=r"poses\.safetensors: no such weights file"):
        Parser.load(tmp_path)
    shutil.copytree(random_bundle, tmp_path / "other")
    shutil.copy(random_bundle / "persons.safetensors", tmp_path / "other" / "tracks.safetensors")
    with pytest.raises(WeightsError, match="persons: needs a TrackNet, got a Yolof"):
        Parser.load(tmp_path / "other")


def test_stage_1_of_another_parser_is_not_looked_for_again(parser: Parser, small_video: Path) -> None:
    first = parser.observe(small_video)
    spent = parser.timer.seconds["persons"]
    again = parser.observe(small_video, stage_1=first.frames)
    assert again.frames == first.frames
    assert parser.timer.seconds["persons"] == spent
    assert parser.integrate(again) == parser.integrate(first)


@pytest.fixture(scope="module")
def by_frame(random_bundle: Path, small_video: Path) -> VideoParse:
    config = ParserConfig(level="frame", use_tracks=False)
    return Parser.load(random_bundle, device="cpu", config=config).parse(small_video)


def test_at_frame_level_each_sampled_frame_is_a_segment(by_frame: VideoParse, parse: VideoParse) -> None:
    assert [(s.first_frame, s.end_frame) for s in by_frame.segments] == [(k, k + 5) for k in range(0, 70, 5)]
    assert [s.start_seconds for s in by_frame.segments] == [frame.time_seconds for frame in by_frame.frames]
    assert by_frame.segments[-1].end_seconds == pytest.approx(7.0)
    for found, same in zip(by_frame.frames, parse.frames, strict=True):
        assert [(p.track_id, p.box) for p in found.persons] == [(p.track_id, p.box) for p in same.persons]
    for frame, segment in zip(by_frame.frames, by_frame.segments, strict=True):
        assert all(part.state_score == segment.state_scores[part.name] for p in frame.persons for part in p.parts)
    assert VideoParse.from_json(by_frame.to_json()) == by_frame


def test_at_frame_level_a_state_is_what_one_clip_around_its_frame_shows(
    random_bundle: Path, small_video: Path, by_frame: VideoParse
) -> None:
    parser = Parser.load(random_bundle, device="cpu", config=ParserConfig(level="frame", use_tracks=False))
    observed = parser.observe(small_video)
    assert parser.bundle.states is not None
    (sampling,) = parser.bundle.states.samplings
    images = [clip_image(frame.image, sampling) for frame in read_frames(small_video)]
    for number, segment in enumerate(observed.segments):
        clip = np.stack([images[min(max(5 * number - 2 + k, 0), 69)] for k in range(4)])
        for group, scores in parser.bundle.states.scores({sampling: clip[None]}).items():
            assert segment.group_scores[group] == pytest.approx(scores, abs=1e-6)
    assert [f.index for f in parser.stream(small_video)] == [frame.index for frame in by_frame.frames]


def test_frame_level_of_a_time_range_and_of_a_single_frame(random_bundle: Path, small_video: Path) -> None:
    config = ParserConfig(level="frame", use_tracks=False, batch_frames=1)
    parser = Parser.load(random_bundle, device="cpu", config=config)
    parse = parser.parse(small_video, time_range=(2.0, 3.25))
    assert [(s.first_frame, s.end_frame) for s in parse.segments] == [(20, 25), (25, 30), (30, 33)]
    assert [frame.index for frame in parse.frames] == [20, 25, 30]
    one = parser.parse(small_video, time_range=(2.0, 2.05))
    assert [(s.first_frame, s.end_frame) for s in one.segments] == [(20, 21)]
    with pytest.raises(ConfigError, match="level must be 'segment' or 'frame', got 'video'"):
        ParserConfig(level="video")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def baseline(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Parser:
    folder = write_random_baseline(tmp_path_factory.mktemp("baseline") / "bundle", random_bundle)
    return Parser.load(folder, device="cpu")


def test_the_baseline_takes_the_place_of_stage_2(baseline: Parser, small_video: Path, parse: VideoParse) -> None:
    assert (baseline.bundle.action, baseline.bundle.states, baseline.bundle.tracks) == (None, None, None)
    assert baseline.bundle.labels.actions == ACTIONS
    found = baseline.parse(small_video)
    assert [[(p.track_id, p.box) for p in frame.persons] for frame in found.frames] == [
        [(p.track_id, p.box) for p in frame.persons] for frame in parse.frames
    ]
    assert set(found.action_scores) == set(ACTIONS)
    assert sum(found.action_scores.values()) == pytest.approx(1, abs=1e-5)
    assert {part.state for f in found.frames for p in f.persons for part in p.parts} <= set(BASELINE_STATES)
    assert list(baseline.stream(small_video)) == list(found.frames)
    jsonschema.validate(json.loads(found.to_json()), json_schema())
    assert VideoParse.from_json(found.to_json()) == found


def test_the_baseline_looks_at_all_sampled_frames_together(baseline: Parser, small_video: Path) -> None:
    found = baseline.parse(small_video)
    images = [frame.image for frame in read_frames(small_video) if frame.index % 5 == 0]
    assert baseline.bundle.baseline is not None
    scores, frames = baseline.bundle.baseline.recognize(images, found.frames)
    assert scores == pytest.approx(found.action_scores, abs=2e-3)  # sums in bfloat16 may differ with the batch
    assert len(frames) == len(found.frames)


def test_a_segment_of_the_baseline_has_the_commonest_states(baseline: Parser, small_video: Path) -> None:
    found = baseline.parse(small_video)
    assert [(s.first_frame, s.end_frame) for s in found.segments] == [(0, 35), (35, 70)]
    for segment in found.segments:
        heads = [
            p.parts[0].state for f in found.frames for p in f.persons if f.index // 35 == segment.first_frame // 35
        ]
        assert heads.count(segment.states["head"]) == max(map(heads.count, BASELINE_STATES))
        assert segment.state_scores["head"] == heads.count(segment.states["head"]) / len(heads)


def test_the_baseline_can_use_stage_1_of_another_parser(baseline: Parser, parser: Parser, small_video: Path) -> None:
    other = parser.observe(small_video)
    assert baseline.observe(small_video, stage_1=other.frames).frames == baseline.parse(small_video).frames


@pytest.fixture
def ensemble(random_bundle: Path, tmp_path: Path) -> Path:
    """A bundle with a second network for the action, which reads more clips and normalises otherwise."""
    folder = tmp_path / "bundle"
    shutil.copytree(random_bundle, folder, ignore=shutil.ignore_patterns("tracks.*"))
    own = load_network(folder / "action.safetensors")
    for parameter in own.net.parameters():
        parameter.data.mul_(1.5)
    settings = {**own.settings, "num_clips": 3, "norm": config_to_dict(InputNorm(mean=(110.0, 100.0, 96.0)))}
    path = folder / "action-ir.safetensors"
    save_network(path, own.net, kind="action-ir", settings=settings, labels=own.labels)
    shutil.copy(folder / "states-arm.safetensors", folder / "states-ir-arm.safetensors")
    return folder


def write_ensembles(folder: Path, ensembles: object) -> Path:
    (folder / "bundle.json").write_text(json.dumps({"name": "random", "ensembles": ensembles}))
    return folder


def test_networks_together_average_their_probabilities(ensemble: Path, small_video: Path) -> None:
    def clip_scores(members: list[tuple[str, float]]) -> np.ndarray:
        parser = Parser.load(write_ensembles(ensemble, {"action": members}), device="cpu")
        return np.array(list(parser.observe(small_video).clip_scores.values()))

    first, second = clip_scores([("action", 2.0), ("action-ir", 0)]), clip_scores([("action-ir", 1)])
    assert np.abs(first - second).max() > 1e-3
    assert clip_scores([("action", 7), ("action-ir", 1)]) == pytest.approx((7 * first + second) / 8, abs=1e-5)


def test_state_networks_of_one_sampling_share_their_clips(ensemble: Path, small_video: Path, tmp_path: Path) -> None:
    members = [["states-arm", 1.314], ["states-ir-arm", 1]]
    parser = Parser.load(write_ensembles(ensemble, {"states-arm": members}), device="cpu")
    assert parser.bundle.states is not None
    assert len(parser.bundle.states.samplings) == 1
    alone = Parser.load(write_ensembles(ensemble, {}), device="cpu")
    ours, theirs = (p.observe(small_video, time_range=(0.0, 1.0)).segments for p in (parser, alone))
    assert ours[0].group_scores["arm"] == pytest.approx(theirs[0].group_scores["arm"], abs=1e-6)
    assert {"states-ir-arm", "states-arm"} <= set(parser.model)


@pytest.mark.parametrize(
    ("ensembles", "text"),
    [
        pytest.param(["action"], r"ensembles must be an object with keys of action, states-head", id="list"),
        pytest.param({"persons": []}, r"ensembles must be an object with keys of action, states-head", id="kind"),
        pytest.param({"action": []}, r"action: ensemble needs weights of at least 0, not all of them 0", id="none"),
        pytest.param({"action": [["action", 0]]}, r"action: ensemble needs weights of at least 0, not all", id="zero"),
        pytest.param({"action": [["../action", 1]]}, r"action must be a list of \[network, weight\]", id="path"),
        pytest.param({"action": [["action", True]]}, r"action must be a list of \[network, weight\]", id="truth"),
        pytest.param({"action": [["action", 10**400]]}, r"action must be a list of \[network, weight\]", id="huge"),
        pytest.param({"action": [["action"]]}, r"action must be a list of \[network, weight\]", id="pair"),
        pytest.param({"action": [["other", 1]]}, r"other\.safetensors: no such weights file", id="missing"),
        pytest.param(
            {"action": [["action", 1], ["states-arm", 1]]},
            r"states-arm: labels must be 2 lists \[action\], one",
            id="labels",
        ),
    ],
)
def test_a_wrong_ensemble_is_named(ensemble: Path, ensembles: object, text: str) -> None:
    with pytest.raises(WeightsError, match=text):
        Parser.load(write_ensembles(ensemble, ensembles), device="cpu")


@pytest.mark.parametrize("objects", [["skateboard"], {"skateboard": 1}], ids=str)
def test_a_wrong_action_of_an_object_is_named(ensemble: Path, objects: object) -> None:
    record = json.loads((ensemble / BUNDLE_FILE).read_text())
    (ensemble / BUNDLE_FILE).write_text(json.dumps({**record, "action_of_object": objects}))
    with pytest.raises(WeightsError, match=r"bundle\.json: action_of_object must give an action for each object, got"):
        Parser.load(ensemble, device="cpu")


@pytest.mark.parametrize("labels", [None, [["lunge"]], ["lunge", "push_up"], [["lunge"], [1]]], ids=str)
def test_labels_that_do_not_fit_their_network_are_named(ensemble: Path, labels: object) -> None:
    path = ensemble / "action.safetensors"
    file = load_network(path)
    save_network(path, file.net, kind="action", settings=file.settings, labels={"labels": labels})
    with pytest.raises(WeightsError, match=r"action: labels must be 2 lists \[action\], one for each output"):
        load_bundle(write_ensembles(ensemble, {}))


def test_labels_of_a_group_have_a_state_for_each_part(ensemble: Path) -> None:
    path = ensemble / "states-arm.safetensors"
    file = load_network(path)
    save_network(path, file.net, kind="states-arm", settings=file.settings, labels={"labels": [["lunge", "bend"]] * 2})
    with pytest.raises(WeightsError, match=r"states-arm: labels must be 2 lists \[action, state, state\]"):
        load_bundle(write_ensembles(ensemble, {}))
