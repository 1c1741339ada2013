"""A YAML file says what flags say: the same names, the same values, the same errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from actparse.cli import build_argument_parser, main
from actparse.commands.config_files import config_text, with_config
from actparse.commands.options import EXIT_USER_ERROR
from actparse.core.errors import ConfigError


def options(*arguments: str) -> dict[str, object]:
    parser = build_argument_parser()
    found = vars(with_config(parser, parser.parse_args(arguments), arguments))
    return {name: value for name, value in found.items() if name not in ("run", "parser", "config", "print_config")}


FLAGS = ["a.mp4", "b c", "--stride", "7", "--time", "2:8", "--no-tracks", "--out", "größer"]


def test_what_is_printed_is_read_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["parse", *FLAGS, "--print-config"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    assert options("parse", "--config", str(tmp_path / "c.yaml")) == options("parse", *FLAGS)
    assert yaml.safe_load(text)["time"] == "2:8"  # not the 128 of YAML 1.1
    assert main(["parse", "--config", str(tmp_path / "c.yaml"), "--print-config"]) == 0
    assert capsys.readouterr().out == text


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("videos: [a.mp4]\nstride: 7\nno_tracks: true\ntime: 2:8\nout: null\n")
    found = options("parse", "b.mp4", "--stride", "2", "--config", str(path))
    assert (found["videos"], found["stride"], found["no_tracks"]) == (["b.mp4"], 2, True)
    assert (found["time"], found["out"]) == ("2:8", Path("out"))


def test_training_takes_one_too(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("recipe: poses\ndata: there\nsteps: 70\nset: [lr=0.1, epochs=3]\n")
    found = options("train", "--config", str(path))
    assert (found["recipe"], found["data"], found["steps"]) == ("poses", Path("there"), 70)
    assert found["set"] == ["lr=0.1", "epochs=3"]
    shorter = options("train", "--config", str(path), "--minutes", "2")
    assert (shorter["minutes"], shorter["steps"]) == (2.0, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strid: 5", "needs one of .*, got 'strid'; did you mean 'stride'?"),
        ("config: other.yaml", "got 'config'"),
        ("stride: five", "stride: invalid int value: 'five'"),
        ("stride: [5, 6]", "stride must be one value, got a list"),
        ("no-tracks: maybe", "no-tracks must be true or false, got 'maybe'"),
        ("- stride", "needs a line NAME: VALUE for each option"),
        ("stride: {", "needs YAML, got"),
        ("!!python/object/apply:os.system [exit]", "needs a line NAME: VALUE"),
    ],
)
def test_what_a_file_gets_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as failure:
        options("parse", "a.mp4", "--config", str(tmp_path / "c.yaml"))
    assert str(failure.value).startswith(str(tmp_path / "c.yaml"))
    assert "\n" not in str(failure.value)


def test_options_that_exclude_each_other_do_so_in_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("steps: 5\nminutes: 3\n")
    assert main(["train", "poses", "--config", str(tmp_path / "c.yaml")]) == EXIT_USER_ERROR
    assert "needs one of steps and minutes, got both" in capsys.readouterr().err


def test_every_option_of_the_command_is_in_the_text() -> None:
    args = build_argument_parser().parse_args(["parse", "a.mp4"])
    assert {"videos", "weights", "device", "no-overlay", "json", "quiet"} <= set(yaml.safe_load(config_text(args)))
