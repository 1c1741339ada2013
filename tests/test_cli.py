"""The command from outside: exit codes, one line for each error, nothing half-written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from actparse.cli import APP, COMMANDS, main
from actparse.commands.help import epilogue
from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR
from actparse.core.structures import VideoParse
from actparse.video.decode import read_frames


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_parse_writes_a_folder_for_each_video(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, small_video: Path, tmp_path: Path
) -> None:
    code, out, err = run(capsys, "parse", small_video, "--out", tmp_path, "--weights", random_bundle, "--timings")
    assert (code, err) == (0, "")
    folder = tmp_path / small_video.stem
    names = [".source.json", "overlay.mp4", "parse.json", "report.html", "segments.csv", "video.mp4"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert VideoParse.from_json((folder / "parse.json").read_text(encoding="utf-8")).video.num_frames == 70
    assert len(list(read_frames(folder / "overlay.mp4"))) == 70
    timings = json.loads(out.splitlines()[-1])
    asked = {"load", "decode", "persons", "poses", "parts", "identities", "clips", "states", "action", "tracks"}
    assert asked | {"overlay", "page", "files", "other", "total"} <= set(timings)
    assert sum(timings.values()) == pytest.approx(2 * timings["total"], abs=0.01)
    assert -0.01 <= timings["other"] < 0.1 * timings["total"]


def broken_files(folder: Path) -> list[tuple[Path, str]]:
    (folder / "nobody's").mkdir()
    (folder / "text.mp4").write_text("not a video\n" * 50)
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "empty.mp4").write_bytes(b"")
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    return [
        (folder / "text.mp4", "needs a video file"),
        (folder / "noise.mp4", "needs a video file"),
        (folder / "empty.mp4", "got an empty file"),
        (folder / "sound.wav", "needs a video stream, got audio alone"),
        (folder / "missing.mp4", "no such file"),
        (folder / "nobody's", "needs at least one video, got none"),
    ]


def test_each_broken_file_is_one_line(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, small_video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for path, message in broken_files(tmp_path):
        code, _, err = run(capsys, "parse", path, "--out", out, "--weights", random_bundle)
        assert code == EXIT_USER_ERROR
        assert message in err
        assert err.startswith(f"actparse: {path}")
        assert err.count("\n") == 1
    assert not out.exists()
    code, _, err = run(capsys, "parse", tmp_path / "text.mp4", small_video, "--out", out, "--weights", random_bundle)
    assert (code, err.count("\n")) == (EXIT_SOME_FAILED, 1)
    assert [path.name for path in out.iterdir()] == [small_video.stem]


def test_an_output_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, small_video: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = run(capsys, "parse", small_video, "--out", tmp_path / "file", "--weights", random_bundle)
    assert code == EXIT_USER_ERROR
    assert "cannot be written" in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["parse"], "needs at least one VIDEO"),
        (["parse", "*.avi"], "*.avi: needs at least one video, got none"),
        (["parse", "v.mp4", "--config", "none.yaml"], "none.yaml: cannot be read"),
        (["parse", "v.mp4", "--time", "x"], "time must be START:END"),
        (["parse", "v.mp4", "--stride", "0"], "stride must be at least 1"),
        (["parse", "v.mp4", "--weights", "nothing"], "weights 'nothing': needs a bundled name"),
        (
            ["parse", "v.mp4", "--device", "gpu"],
            "device must be cpu, or a GPU that torch sees",
        ),
        (["parse", "v.mp4", "--device", "cuda:99"], "device must be cpu, or a GPU"),
        (["parse", "v.mp4", "--device", "meta"], "device must be cpu, or a GPU"),
        (["evaluate", "--truth", "nowhere", "--predictions", "nowhere"], "nowhere: needs gt_vid_result.json"),
        (["submit", "nowhere", "--out", "s.zip"], "nowhere: needs folders with parse.json"),
        (["diagnose", "--data", "nowhere"], "needs a folder train_videos"),
        (["synth", "d", "--videos", "0"], "videos must be at least 1"),
        (["synth", "d"], "needs one of --videos, --benchmark and --sheet"),
        (
            ["synth", "d", "--benchmark", "SynthTPS-v1", "--look", "varied"],
            "--benchmark SynthTPS-v1 fixes the look and the bodies",
        ),
        (["train", "tiny"], "needs a RECIPE and --data"),
        (["train", "tiny", "--numbers"], "--numbers needs the recipe of one network, got tiny"),
        (["train", "nothing", "--data", "d"], "RECIPE at size tiny must be one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    random_bundle: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    extra = ["--weights", str(random_bundle)] if arguments[0] == "diagnose" else []
    code, _, err = run(capsys, *arguments, *extra)
    assert code == EXIT_USER_ERROR
    assert message in err
    assert err.count("\n") == 1


def test_parses_become_a_submission(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, small_video: Path, tmp_path: Path
) -> None:
    run(capsys, "parse", small_video, "--out", tmp_path / "parses", "--weights", random_bundle, "--no-overlay")
    code, out, _ = run(capsys, "submit", tmp_path / "parses", "--out", tmp_path / "s.zip")
    assert (code, out) == (0, f"{tmp_path / 's.zip'}: 1 videos\n")
    assert (tmp_path / "s.zip").is_file()


def test_doctor_and_lists(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    for topic in ("python", "torch", "cpu", "codecs", "encoder", "weights", "cache"):
        assert topic in out
    code, out, _ = run(capsys, "train", "--list")
    assert code == 0
    assert {"persons", "poses", "parts", "action", "tiny"} <= {line.split()[0] for line in out.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "actparse: needs a COMMAND"),
        (["weights"], "actparse weights: needs a COMMAND"),
        (["pares"], 'actparse: Unknown command "pares". Did you mean "parse"?'),
        (["parse", "v.mp4", "--stribe", "5"], "actparse parse: Unknown option: --stribe. Did you mean --stride?"),
        (["parse", "v.mp4", "--stride", "five"], 'Invalid value for --stride: unable to convert "five" into int'),
        (["parse", "v.mp4", "--level", "segmnt"], 'Choose from: "segment", "frame". Did you mean "segment"?'),
        (["parse", "v.mp4", "--stride"], "actparse parse: --stride needs a value"),
        (["submit", "parses"], "actparse submit: --out needs a value"),
        (["weights", "pull"], "actparse weights pull: NAMES needs a value"),
        (["submit", "a", "b", "--out", "s.zip"], "actparse submit: Unused Tokens: ['b']"),
        (["train", "tiny", "--steps", "3", "--minutes", "2"], "Mutually exclusive arguments: {--steps, --minutes}"),
        (["weights", "lift"], 'Did you mean "list"?'),
    ],
    ids=" ".join,
)
def test_a_slip_of_the_pen_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (EXIT_USER_ERROR, "")
    assert message in err
    assert re.fullmatch(r"(actparse[a-z -]*): .* \(see \1 --help\)\n", err)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_and_exit_codes(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, text, _ = run(capsys, *name.split(), "--help")
    assert code == 0
    assert re.search(rf"\nexamples:\n  .*actparse {name}", text)
    assert "exit codes: 0 " in text.lower()
    assert "--quiet" in text
    assert max(map(len, text.splitlines())) <= 80
    for line in epilogue(COMMANDS[name]).splitlines():
        assert line in text.splitlines(), "an example or exit code is wrapped"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_description(name: str) -> None:
    command = APP
    for word in name.split():
        command = command[word]
    for option in command.assemble_argument_collection(parse_docstring=True):
        assert option.parameter.help or option.children, f"{name} {option.name}"


def test_help_shows_defaults_and_choices_and_hides_old_names(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = run(capsys, "reproduce", "--help")
    assert re.search(r"--size \{tiny,paper\} .*default: tiny", text)
    assert "--limit N" in text
    assert "--videos" not in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("reproduce table1 --data d --videos 3", "reproduce table1 --data d --limit 3"),
        ("data show --data d --videos 3", "data show d --limit 3"),
        (
            "calibrate --weights w --known k --unknown u --data d",
            "calibrate --weights w --known k --unknown u --truth d",
        ),
        ("parse v.mp4 --stride 3 --stride 4 --out=x", "parse --out x --stride 4 v.mp4"),
    ],
)
def test_old_and_equivalent_spellings(capsys: pytest.CaptureFixture[str], old: str, new: str) -> None:
    outputs = [run(capsys, *line.split(), "--print-config") for line in (old, new)]
    assert outputs[0] == outputs[1]
    assert outputs[0][0] == 0


def test_quiet_says_nothing_but_errors(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, small_video: Path, tmp_path: Path
) -> None:
    options = ["--out", tmp_path / "out", "--weights", random_bundle, "--no-overlay", "--time", ":0.5"]
    code, out, err = run(capsys, "parse", small_video, tmp_path / "none.mp4", "--quiet", *options)
    assert (code, out) == (EXIT_SOME_FAILED, "")
    assert err == f"actparse: {tmp_path / 'none.mp4'}: no such file\n"
    code, out, err = run(capsys, "parse", small_video, "--quiet", "--json", *options)
    assert (code, err) == (0, "")
    assert json.loads(out)["results"][0]["was_there"]


def test_json_is_one_document_also_where_all_fails(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "none.mp4"
    code, out, _ = run(capsys, "parse", nowhere, "--json", "--weights", random_bundle, "--out", tmp_path)
    assert code == EXIT_USER_ERROR
    [result] = json.loads(out)["results"]
    assert (result["video"], result["error"]) == (str(nowhere), f"{nowhere}: no such file")
    code, out, _ = run(capsys, "parse", nowhere, "--json", "--weights", "nothing")
    assert code == EXIT_USER_ERROR
    assert json.loads(out)["error"].startswith("weights 'nothing': needs a bundled name")
    code, out, _ = run(capsys, "doctor", "--json")
    assert code == 0
    assert {"python", "torch", "cache"} <= {finding["topic"] for finding in json.loads(out)}


def test_a_closed_pipe_is_no_trouble() -> None:
    command = f"{sys.executable} -m actparse.cli weights list | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[1:] in (["141"], ["0"])  # 0 where `head` took all before it went
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("options", ["", "--json"])
def test_an_output_without_room_is_one_line(options: str) -> None:
    command = f"{sys.executable} -m actparse.cli doctor {options} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (EXIT_USER_ERROR, "actparse: No space left on device\n")


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "actparse", "models", "--no-such-option"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == EXIT_USER_ERROR
    assert done.stderr.startswith("actparse models: Unknown option: --no-such-option")


def test_help_and_version_exit_cleanly(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--help", "--version", "-h"):
        code, out, err = run(capsys, option)
        assert (code, err) == (0, "")
        assert "actparse" in out


def test_standard_input_is_refused_by_parse(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "parse", "-")
    assert code == EXIT_USER_ERROR
    assert "actparse watch -" in err
    assert err.count("\n") == 1
