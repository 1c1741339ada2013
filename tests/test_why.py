"""Why a video shows its action: the whole way, from the parser to the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from actparse import Parser
from actparse.cli import main
from actparse.core.structures import VideoParse, json_schema
from actparse.core.vocabulary import PARTS
from actparse.data.shares import count_states, load_shares
from actparse.stages.loading import bundle_folder, load_bundle
from bundles import ACTIONS, TRACK_STATES


@pytest.fixture(scope="module")
def parser(random_bundle: Path) -> Parser:
    people = [(action, dict.fromkeys(PARTS, state), 3.0) for action, state in zip(ACTIONS, TRACK_STATES, strict=True)]
    return Parser(replace(load_bundle(random_bundle, device="cpu"), shares=count_states(people)))


@pytest.fixture(scope="module")
def parse(parser: Parser, small_video: Path) -> VideoParse:
    return parser.parse(small_video)


def test_a_parse_has_reasons_of_its_persons(parse: VideoParse) -> None:
    tracks = {person.track_id for frame in parse.frames for person in frame.persons}
    assert {reason.track_id for reason in parse.reasons} == tracks
    assert {reason.state for reason in parse.reasons} <= set(TRACK_STATES)
    assert parse.explanation.endswith(".")
    assert all(0 <= reason.start_seconds <= reason.end_seconds <= 7 for reason in parse.reasons)
    jsonschema.validate(json.loads(parse.to_json()), json_schema())


def test_without_tracks_the_group_networks_give_them(parser: Parser, small_video: Path) -> None:
    parse = parser.integrate(parser.observe(small_video), use_tracks=False)
    assert len(parse.reasons) == len(PARTS)
    assert {(reason.state, reason.track_id) for reason in parse.reasons} == {("bend", None)}


def test_without_shares_tracks_give_none(random_bundle: Path, small_video: Path) -> None:
    parse = Parser.load(random_bundle, device="cpu").parse(small_video, time_range=(0.0, 1.0))
    assert (parse.reasons, parse.explanation) == ((), "")


def test_the_bundle_tiny_has_shares() -> None:
    shares = load_shares(bundle_folder("tiny"))
    assert shares is not None
    assert len(shares.actions) == 24


def test_the_command_tells(parse: VideoParse, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "parse.json").write_text(parse.to_json())
    assert main(["why", str(tmp_path), "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == parse.explanation
    assert len(lines) == 3
    assert parse.reasons[0].part in lines[1]
    assert main(["why", str(tmp_path / "parse.json"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reasons"][0]["weight"] == parse.reasons[0].weight
    (tmp_path / "parse.json").write_text(replace(parse, reasons=(), explanation="").to_json())
    assert main(["why", str(tmp_path)]) == 0
    assert "holds no reasons" in capsys.readouterr().out


def test_what_is_no_parse_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(tmp_path)]) == 2
    assert "parse.json: cannot be read" in capsys.readouterr().err
