"""Solid things in the places of the look "video"; some of them look like limbs."""

from __future__ import annotations

import numpy as np

from actparse.synth.drawing.backdrop import FURNITURE, Build
from actparse.synth.drawing.footage.materials import VARIANTS, Image, material
from actparse.synth.drawing.mesh import Floats, Mesh, box_mesh, tube_mesh
from actparse.synth.drawing.texture import CLOTH_SIDE, any_color, skin_color
from actparse.synth.motion.figure import Tube

SURFACES = ("plaster", "planks", "carpet", "sheet_metal", "rubber", "foliage")  # a texture of each for furniture


def clutter(rng: np.random.Generator, kind: str, position: Floats) -> list[Mesh]:
    """Build a thing of `CLUTTER` at (x, 0, z) metres."""
    tone = np.full(3, rng.uniform(50, 200)) + rng.normal(0, 12, 3) if rng.random() < 0.6 else any_color(rng)
    return CLUTTER[kind](rng, position, tone)


def surface_textures(rng: np.random.Generator, count: int) -> list[Image]:
    """Return `count` textures (CLOTH_SIDE, CLOTH_SIDE, 3) for furniture and props, bright enough to be tinted."""
    layers = []
    for index in range(count):
        texture = material(SURFACES[index % len(SURFACES)], int(rng.integers(VARIANTS)))
        left, top = rng.integers(0, texture.shape[0] - 3 * CLOTH_SIDE, 2)
        piece = texture[top : top + 3 * CLOTH_SIDE : 3, left : left + 3 * CLOTH_SIDE : 3].astype(np.float32)
        grey = piece.mean(axis=2, keepdims=True)
        layers.append(
            np.clip((0.5 * piece + 0.5 * grey) * (205 / max(float(grey.mean()), 20)), 0, 255).astype(np.uint8)
        )
    return layers


def _tube(points: Floats, radius: float | Floats, color: Floats, sides: int = 8) -> Mesh:
    radii = np.broadcast_to(radius, len(points)).astype(float)
    path = np.concatenate((points[:1], points, points[-1:]))
    red, green, blue = (float(value) for value in color)
    return tube_mesh(Tube(path, np.concatenate(([1e-3], radii, [1e-3])), (red, green, blue), sides))


def bag(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    """Build a punching bag on a chain."""
    top, bottom, radius = rng.uniform(1.6, 1.9), rng.uniform(0.5, 0.8), rng.uniform(0.14, 0.2)
    heights = np.array([bottom, bottom + 0.04, 0.5 * (top + bottom), top - 0.04, top])
    path = position + heights[:, None] * np.array([0.0, 1, 0])
    chain = position + np.array([[0.0, top, 0], [0, 3.2, 0]])
    return [_tube(path, radius * np.array([0.8, 1, 1, 1, 0.8]), tone * 0.5, 12), _tube(chain, 0.012, tone * 0.3, 5)]


def dumbbells(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    """Build a row of dumbbells on a rack."""
    meshes = [box_mesh(position + [0, y, 0], np.array([1.6, 0.05, 0.3]), np.full(3, 60.0)) for y in (0.35, 0.75)]
    meshes += [box_mesh(position + [x, 0.4, 0], np.array([0.06, 0.8, 0.3]), np.full(3, 70.0)) for x in (-0.75, 0.75)]
    for y in (0.45, 0.85):
        for x in np.arange(-0.65, 0.7, 0.3):
            for z in (-0.1, 0.1):
                ends = position + np.array([[x - 0.05, y, z], [x + 0.05, y, z]])
                meshes.append(_tube(ends, rng.uniform(0.05, 0.08), np.full(3, rng.uniform(25, 70))))
    return meshes


def plates(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    """Build plates of a barbell that lean on nothing: upright discs."""
    meshes = []
    for index in range(int(rng.integers(1, 4))):
        radius = rng.uniform(0.14, 0.23)
        center = position + [0.12 * index, radius, 0]
        ends = np.array([center, center + [0.05, 0, 0]])
        meshes.append(_tube(ends, radius, any_color(rng) if rng.random() < 0.4 else np.full(3, 40.0), 16))
    return meshes


def cone(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    """Build a traffic cone."""
    orange = np.array([226.0, 92, 36]) * rng.uniform(0.8, 1.05)
    path = position + np.array([[0.0, 0.01, 0], [0, 0.25, 0], [0, 0.5, 0]])
    base = box_mesh(position + [0, 0.015, 0], np.array([0.34, 0.03, 0.34]), orange * 0.8)
    return [base, _tube(path, np.array([0.13, 0.075, 0.02]), orange, 10)]


def hose(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    """Build a hose or a thick rope that lies on the ground and rises at its end, in the colour of skin at times."""
    steps = np.linspace(0, 1, 9)
    wave = rng.uniform(0.15, 0.5) * np.sin(steps * rng.uniform(3, 9) + rng.uniform(0, 6))
    rise = np.clip(steps - 0.7, 0, 1) * rng.uniform(0, 2.5)
    path = position + np.stack((steps * rng.uniform(0.8, 2.4), 0.05 + rise, wave), axis=1)
    return [_tube(path, rng.uniform(0.025, 0.06), skin_color(rng) if rng.random() < 0.3 else tone)]


def branch(rng: np.random.Generator, position: Floats, tone: Floats) -> list[Mesh]:
    """Build a bare trunk with forked branches, about as thick as arms and legs."""
    wood = np.array([112.0, 88, 66]) * rng.uniform(0.6, 1.3)
    height = rng.uniform(1.2, 2.4)
    trunk = position + np.array([[0.0, 0, 0], [0.06, height / 2, 0], [0, height, 0]])
    meshes = [_tube(trunk, np.array([0.11, 0.09, 0.07]), wood)]
    for _ in range(int(rng.integers(2, 6))):
        start = position + [0, height * rng.uniform(0.4, 1.0), 0]
        reach = rng.normal(0, 0.5, 3) + [0, 0.4, 0]
        path = np.array([start, start + 0.5 * reach, start + reach + rng.normal(0, 0.2, 3)])
        meshes.append(_tube(path, np.array([0.06, 0.045, 0.02]), wood * rng.uniform(0.85, 1.15), 7))
    return meshes


CLUTTER: dict[str, Build] = {
    **FURNITURE,
    **{build.__name__: build for build in (bag, branch, cone, dumbbells, hose, plates)},
}
