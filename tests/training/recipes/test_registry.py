"""The recipes by name, and changes of their hyperparameters from text."""

from __future__ import annotations

import pytest

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUPS
from actparse.training.recipes.hyperparameters import changeable, described
from actparse.training.recipes.registry import PAPER, RECIPES, recipe_of


def test_every_network_of_the_paper_has_a_recipe() -> None:
    groups = [f"states-{group}" for group in GROUPS]
    assert {"persons", "poses", "parts", "parts-without-dots", "action", *groups} <= set(PAPER)
    assert {"action-tsn-rgb", "action-tsn-flow", "states-tsn-rgb-arm", "states-tsn-flow-foot"} <= set(PAPER)
    assert (PAPER["states-tsn-rgb-arm"].kind, PAPER["states-tsn-rgb-arm"].group) == ("states-arm", "arm")


@pytest.mark.parametrize("size", list(RECIPES))
def test_hyperparameters_can_be_written_as_text(size: str) -> None:
    """What a recipe prints, `--set` takes, except nested configs."""
    for name, recipe in RECIPES[size].items():
        for field in () if recipe.hyperparameters is None else changeable(recipe.hyperparameters):
            value = getattr(recipe.hyperparameters, field)
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            text = "none" if value is None else text
            assert getattr(recipe_of(name, size, {field: text}).hyperparameters, field) == value


def test_interpretations_are_printed_beside_the_others() -> None:
    lines = described(recipe_of("action", "paper", {"warmup": "16-iterations"}).hyperparameters)
    assert f"{'warmup':20} 16-iterations (or 16-epochs-by-iteration, 16-epochs-by-epoch)" in lines
    lines = described(recipe_of("states-ir-leg", "paper", {"ensemble": "none"}).hyperparameters)
    assert f"{'ensemble':20} None" in lines
    assert described(recipe_of("action", "tiny", {"learning_rate": "3e-4"}).hyperparameters)[1].split()[1] == "0.0003"


def test_held_out_videos_depend_on_a_seed_where_something_is_trained() -> None:
    assert {name for name, recipe in PAPER.items() if hasattr(recipe.hyperparameters, "split_seed")} == set(PAPER) - {
        "poses"
    }


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        pytest.param(
            "action",
            {"epochs": "3"},
            "no hyperparameter 'epochs' in this recipe; it has batch_size, groups_weight",
            id="other",
        ),
        pytest.param("persons", {"level": "frame"}, "no hyperparameter 'level' in this recipe", id="recipe"),
        pytest.param("tiny", {"learning_rate": "1"}, "tiny has no hyperparameters to change", id="bundle"),
        pytest.param("persons", {"learning_rate": "0"}, "learning_rate must be greater than 0, got 0.0", id="rate"),
        pytest.param("persons", {"learning_rate": "fast"}, "learning_rate must be float, got 'fast'", id="word"),
        pytest.param("action", {"level": "video"}, "level must be one of segment, frame, got 'video'", id="level"),
        pytest.param("action", {"segment_seconds": "0"}, "segment_seconds must be at least 0.1, got 0", id="zero"),
        pytest.param("action", {"segment_seconds": "1e-9"}, "segment_seconds must be at least 0.1, got 1e-09", id="ns"),
        pytest.param("action", {"segment_seconds": "nan"}, "segment_seconds must be finite, got nan", id="nan"),
        pytest.param("action", {"segment_seconds": "x"}, "segment_seconds must be float, got 'x'", id="text"),
    ],
)
def test_wrong_changes_at_size_tiny(name: str, changes: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        recipe_of(name, "tiny", changes)


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        pytest.param("cats", {}, "at size paper must be one of persons", id="recipe"),
        pytest.param("persons", {"cats": "3"}, "no hyperparameter 'cats' in this recipe; it has ba", id="name"),
        pytest.param("action", {"warmup": "never"}, "warmup must be one of 16-epochs-by-iteration", id="reading"),
        pytest.param("action", {"epochs": "some"}, "epochs must be int, got 'some'", id="text"),
        pytest.param("action", {"epochs": "0"}, "epochs must be at least 1, got 0", id="range"),
        pytest.param("action", {"epochs": "9" * 12}, "epochs must be at most 2147483647", id="count"),
        pytest.param(
            "action", {"depth_blocks": "1,2"}, "depth_blocks must be 4 whole numbers with .* '1,2'", id="length"
        ),
        pytest.param("action", {"depth_blocks": "1,2,0,1"}, "depth_blocks must be at least 1", id="no block"),
        pytest.param("action", {"gamma": "nan"}, "gamma must be finite, got nan", id="nan"),
        pytest.param("action", {"weight_decay": "inf"}, "weight_decay must be finite, got inf", id="endless"),
        pytest.param("action", {"learning_rate": "-1"}, "learning_rate must be greater than 0, got -1.0", id="rate"),
        pytest.param("action", {"milestones": "0,1"}, r"milestones must be at least 1, got \(0, 1\)", id="milestones"),
        pytest.param("action", {"momentum": "0"}, "nesterov needs a momentum greater than 0", id="momentum"),
        pytest.param("action-ir", {"ensemble": "-1,1"}, "ensemble must be at least 0", id="ensemble"),
        pytest.param("states-arm", {"segment_seconds": "1e-9"}, "segment_seconds must be at least 0.1", id="segments"),
        pytest.param("action-tsn-rgb", {"num_segments": "0"}, "num_segments must be at least 1", id="places"),
        pytest.param("baseline", {"train_size": "5"}, "train_size must be 2 whole numbers with .* '5'", id="size"),
        pytest.param("baseline", {"zoom": "2,1"}, r"zoom must be two numbers, the smaller first, got \(2.0", id="zoom"),
        pytest.param("persons", {"max_shift": "-1"}, "max_shift must be at least 0, got -1", id="shift"),
        pytest.param("persons", {"depth": "49"}, "depth must be one of 18, 34, 50, 101, 152, got 49", id="depth"),
        pytest.param("parts", {"padding": "0.5"}, "padding must be at least 1, got 0.5", id="padding"),
        pytest.param("poses", {"size": "100,100"}, "size must be multiples of 32", id="pose size"),
    ],
)
def test_wrong_changes_at_full_size(name: str, changes: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        recipe_of(name, "paper", changes)
