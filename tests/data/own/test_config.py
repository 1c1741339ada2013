"""The YAML file of one's own data: what it says, and one line for whatever is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actparse.core.errors import ConfigError
from actparse.data.own.config import OwnConfig, is_description, read_config

GOOD = """
kind: cvat
videos: clips
labels: ["labels/*.xml"]
actions: [squat, press]
states: {arm: [bent, straight], leg: [bent]}
split: {val: [b], seed: 3}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "labels").mkdir(exist_ok=True)
    for name in ("b.xml", "a.xml"):
        (folder / "labels" / name).touch()
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_seen_from_the_file(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, GOOD))
    assert config.videos == tmp_path / "clips"
    assert config.labels == (tmp_path / "labels" / "a.xml", tmp_path / "labels" / "b.xml")
    assert config.all_states() == ("bent", "straight")
    assert config.split.val == ("b",)
    assert config.split.seed == 3


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param("stats: {}", "unknown key \"stats\", must be one of .*did you mean 'states'", id="key"),
        pytest.param("split: {vall: []}", "split: unknown key \"vall\".*did you mean 'val'", id="inner-key"),
        pytest.param("1: 2", "unknown key 1", id="key-is-a-number"),
        pytest.param("kind: kvat", "kind: needs one of cvat, coco.*got 'kvat'; did you mean 'cvat'", id="kind"),
        pytest.param("states: {arms: [a]}", "a part group: needs one of .*did you mean 'arm'", id="group"),
        pytest.param("actions: []", "actions: needs at least one", id="no-action"),
        pytest.param("actions: [a, a]", "each word once, got 'a' twice", id="twice"),
        pytest.param("actions: [../a]", "a word has no slash", id="action-is-a-path"),
        pytest.param("actions: [..]", "a word has no slash", id="action-is-a-folder"),
        pytest.param("actions: [on, off]", "must be text, in quotes .*got true", id="yaml-takes-it-for-a-truth"),
        pytest.param("actions: [2024-01-01]", "must be text, in quotes .*got date", id="yaml-takes-it-for-a-date"),
        pytest.param("labels: []", "labels: kind cvat needs at least one file", id="no-labels"),
        pytest.param("labels: [x.xml]", "labels: needs a file, got none at .*x.xml", id="missing-labels"),
        pytest.param("state_rows: [labels/a.xml]", "state_rows: kind cvat has no such files", id="rows-of-cvat"),
        pytest.param("kind: kinetics-tps", "labels: kind kinetics-tps has no such files", id="labels-of-folders"),
        pytest.param("split: {val_share: 1}", "split.val_share must be 0..1", id="all-held-out"),
        pytest.param("split: {val: [a], test: [a]}", "in val or in test, got 'a' in both", id="in-both"),
        pytest.param("split: {seed: 1.5}", "split.seed: must be a whole number", id="seed"),
        pytest.param("actions: [a", "needs a YAML file, got", id="no-yaml"),
        pytest.param("x: !!python/object/apply:os.getcwd []", "needs a YAML file, got", id="an-object"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line: str, text: str, tmp_path: Path) -> None:
    key = line.partition(":")[0]
    kept = [old for old in GOOD.strip().splitlines() if not old.startswith(f"{key}:")]
    with pytest.raises(ConfigError, match=text) as caught:
        read_config(written(tmp_path, "\n".join([*kept, line])))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "own.yaml"))


@pytest.mark.parametrize("key", ["kind", "videos", "actions", "states"])
def test_what_must_be_there(key: str, tmp_path: Path) -> None:
    kept = [old for old in GOOD.strip().splitlines() if not old.startswith(f"{key}:")]
    with pytest.raises(ConfigError, match=f"{key}: must be given"):
        read_config(written(tmp_path, "\n".join(kept)))


def test_an_alias_that_grows_is_not_written_out(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
        f"{after}: &{after} [{','.join(['*' + before] * 9)}]"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(ConfigError, match="unknown key") as caught:
        read_config(written(tmp_path, f"{GOOD}\n{bomb}"))
    assert len(str(caught.value)) < 500


def test_labels_need_not_be_there_yet(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("labels/*.xml", "none/*.xml"))
    assert read_config(path, with_files=False).actions == ("squat", "press")


def test_a_folder_and_a_description_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").mkdir()
    assert is_description(Path("own.yml"))
    assert not is_description(tmp_path / "data.yaml")
    assert not is_description(Path("data"))


def test_a_config_checks_itself() -> None:
    with pytest.raises(ConfigError, match="actions: needs at least one"):
        OwnConfig(path=Path("o.yaml"), kind="cvat", videos=Path("v"), actions=(), states={}, labels=(Path("a"),))
