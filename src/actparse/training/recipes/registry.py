"""The recipes by name: one for each network at size tiny, and one for the whole tiny bundle."""

from __future__ import annotations

from dataclasses import dataclass

from actparse.core.vocabulary import GROUPS


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The description and default length of one recipe."""

    description: str
    steps: int  # default number of optimiser steps
    samples_per_second: float  # measured on one processor core, to estimate a run's time
    batch_size: int
    needs: tuple[str, ...] = ()  # recipes whose weights must exist in the run's folder

    @property
    def minutes(self) -> float:
        """Return how many minutes the default number of steps takes on one core."""
        return self.steps * self.batch_size / self.samples_per_second / 60


NETWORK_RECIPES: dict[str, Recipe] = {
    "persons": Recipe(
        description="person detector: tiny YOLOF on frames", steps=10_000, samples_per_second=43, batch_size=12
    ),
    "poses": Recipe(
        description="pose network: tiny HRNet on rendered person crops",
        steps=25_000,
        samples_per_second=88,
        batch_size=32,
    ),
    "parts": Recipe(
        description="part detector: tiny YOLOF on person crops with the pose drawn on them",
        steps=12_500,
        samples_per_second=40,
        batch_size=16,
        needs=("poses",),
    ),
    "parts-without-dots": Recipe(
        description="part detector without the pose, for comparison",
        steps=12_500,
        samples_per_second=40,
        batch_size=16,
        needs=("poses",),
    ),
    "tracks": Recipe(
        description="network on keypoints: the action, and the states of each person",
        steps=4_000,
        samples_per_second=1_500,
        batch_size=256,
        needs=("poses",),
    ),
    "action": Recipe(
        description="action network: tiny ip-CSN on clips", steps=12_500, samples_per_second=68, batch_size=16
    ),
    **{
        f"states-{group}": Recipe(
            description=f"state network of the part group {group}, from the action network's weights",
            steps=2_500,
            samples_per_second=68,
            batch_size=16,
        )
        for group in GROUPS
    },
}
COMPARED_RECIPES: dict[str, Recipe] = {  # for Table I; the runs of video networks also save initial state networks
    "action-tsn-rgb": Recipe(
        description="action network for comparison: tiny TSN on frames",
        steps=12_500,
        samples_per_second=68,
        batch_size=16,
    ),
    "action-tsn-flow": Recipe(
        description="action network for comparison: tiny TSN on TV-L1 flow",
        steps=12_500,
        samples_per_second=42,
        batch_size=16,
    ),
    "action-pretrained": Recipe(
        description="tiny ip-CSN on rendered clips only, for `--init` of action, as the paper uses IG-65M's weights",
        steps=120_000,
        samples_per_second=68,
        batch_size=16,
    ),
    "baseline": Recipe(
        description="official baseline: tiny ResNet, RoIAlign on persons and parts, fused with TSN on frames",
        steps=2_500,
        samples_per_second=7,  # of three frames each, with float32
        batch_size=8,
    ),
}
PEOPLE_RECIPES: dict[str, Recipe] = {  # for the bundle for real people; there, a run's poses.safetensors is MoveNet
    "parts-people": Recipe(
        description="part detector for real people: rendered person crops of the varied look, dots of the run's poses",
        steps=6_000,
        samples_per_second=40,
        batch_size=16,
        needs=("poses",),
    ),
    "part-regression": Recipe(
        description="network from keypoints to part boxes, on the same persons, half of them with true keypoints",
        steps=6_000,
        samples_per_second=20_000,
        batch_size=256,
        needs=("poses",),
    ),
    "tracks-people": Recipe(
        description="network on keypoints for real people: as tracks, with a lower limit of the keypoints' confidence",
        steps=8_000,
        samples_per_second=1_500,
        batch_size=256,
        needs=("poses",),
    ),
}
RECIPES: dict[str, Recipe] = {
    **NETWORK_RECIPES,
    **COMPARED_RECIPES,
    **PEOPLE_RECIPES,
    "tiny": Recipe(
        description="the whole tiny bundle: all of its networks, two at a time",
        steps=sum(recipe.steps for recipe in NETWORK_RECIPES.values()),
        samples_per_second=45,
        batch_size=16,
    ),
}
