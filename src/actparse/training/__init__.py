"""Training of the networks: recipes by name, each a task that one loop trains."""

from actparse.training.options import TrainOptions
from actparse.training.recipes.registry import RECIPES, Recipe
from actparse.training.runs.start import run_recipe

__all__ = ["RECIPES", "Recipe", "TrainOptions", "run_recipe"]
