"""A YAML file says what flags say: the same names, the same values, the same errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from actparse.cli import main
from actparse.commands.options import EXIT_USER_ERROR


def options(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    """Return the effective options of a command."""
    assert main([*map(str, arguments), "--print-config"]) == 0
    return dict(yaml.safe_load(capsys.readouterr().out))


FLAGS = ["a.mp4", "b c", "--stride", "7", "--time", "2:8", "--no-tracks", "--out", "größer"]


def test_what_is_printed_is_read_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["parse", *FLAGS, "--print-config"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    assert yaml.safe_load(text)["time"] == "2:8"  # not the 128 of YAML 1.1
    assert main(["parse", "--config", str(tmp_path / "c.yaml"), "--print-config"]) == 0
    assert capsys.readouterr().out == text


def test_flags_go_before_the_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("videos: [a.mp4]\nstride: 7\nno_tracks: true\ntime: 2:8\nout: null\nweights: tiny\n")
    found = options(capsys, "parse", "b.mp4", "--stride", "2", "--config", path)
    assert (found["videos"], found["stride"], found["no-tracks"]) == (["b.mp4"], 2, True)
    assert (found["time"], found["out"], found["weights"]) == ("2:8", "out", "tiny")
    assert options(capsys, "parse", "--config", path)["videos"] == ["a.mp4"]
    assert options(capsys, "parse", "b.mp4")["stride"] == 5  # the file of another call has no effect


def test_training_takes_one_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("recipe: poses\ndata: there\nsteps: 70\nset: [lr=0.1, epochs=3]\nkeep: best\n")
    found = options(capsys, "train", "--config", path)
    assert (found["recipe"], found["data"], found["steps"]) == ("poses", "there", 70)
    assert (found["set"], found["keep"]) == (["lr=0.1", "epochs=3"], "best")
    shorter = options(capsys, "train", "--config", path, "--minutes", "2")
    assert (shorter["minutes"], shorter["steps"]) == (2.0, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strid: 5", 'Unknown option: "[strid]" from FILE. Did you mean --stride?'),
        ("config: other.yaml", "FILE: config cannot be in a file"),
        ("stride: five", 'Invalid value for [stride] from FILE: unable to convert "five" into int'),
        ("stride: [5, 6]", "Invalid value for [stride] from FILE"),
        ("stride: {a: 5}", 'Unknown option: "[stride][a]" from FILE'),
        ("no-tracks: maybe", 'Invalid value for [no-tracks] from FILE: unable to convert "maybe" into bool'),
        ("level: segmnt", 'Invalid value "segmnt" for [level] from FILE. Choose from: "segment", "frame". Did you'),
        ("- stride", "FILE: needs a line NAME: VALUE for each option"),
        ("stride: {", "FILE: needs YAML, got"),
        ("!!python/object/apply:os.system [exit]", "FILE: needs a line NAME: VALUE"),
        ("steps: 5\nminutes: 3", "Mutually exclusive arguments: {[steps], [minutes]}"),
    ],
)
def test_what_a_file_gets_wrong_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert main(["train" if "steps" in text else "parse", "--config", str(path)]) == EXIT_USER_ERROR
    err = capsys.readouterr().err
    assert message in err.replace(str(path), "FILE")
    assert err.count("\n") == 1


def test_every_option_of_the_command_is_in_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    found = options(capsys, "parse", "a.mp4")
    assert {"videos", "weights", "device", "no-overlay", "json", "no-action-prior"} <= set(found)
