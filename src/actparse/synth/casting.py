"""The cast of a scene: the people, what they do and where they stand, and the camera that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from actparse.synth.actions.registry import (
    BABY_ACTIONS,
    SceneHints,
    build_bystander,
    build_helper,
    build_performer,
    draw_body,
    scene_hints,
)
from actparse.synth.annotate import ObjectIds
from actparse.synth.config import SCENE_LAYERS, USUAL_HEIGHT, SceneConfig
from actparse.synth.drawing.camera import BODY_HEIGHT, BODY_WIDTH, LYING_HEIGHT, Camera, CameraPath, draw_framing
from actparse.synth.drawing.footage.lens import FrameLens, draw_lens
from actparse.synth.drawing.footage.shots import Shots, ShotShares, draw_shots
from actparse.synth.drawing.footage.sight import TIMES, Sight, inside, unhidden
from actparse.synth.drawing.mesh import Floats, Mesh, joined, moved, textured, tube_mesh
from actparse.synth.drawing.triangles import Triangles, joined_triangles, triangulated
from actparse.synth.motion.figure import BodySizes, HeldTube, Moment
from actparse.synth.motion.phases import Performer
from actparse.synth.motion.reach import rotation
from actparse.synth.people.body import Joints, Skin, draw_sizes, held_to_tube, solve
from actparse.synth.people.limits import within_limits
from actparse.synth.people.look import Look
from actparse.synth.people.look_varied import VariedLook
from actparse.synth.people.mesh_skin import MeshSkin, level_of
from actparse.synth.people.outfit import dress
from actparse.synth.people.shape import Shape, build_shape, draw_phenotypes

MAX_PERSONS = 7
PERSON_SPACE = 0.95  # smallest distance between two people, metres
VARIED_CODE = 7_301  # seeds, with the scene's seed, a separate generator for the additions of the look "varied"


class Actor:
    """One person of a scene: body, clothes, position on the floor, and motion."""

    def __init__(self, performer: Performer, look: Look, skin: Skin | MeshSkin, place: Floats, yaw: float) -> None:
        self.performer, self.look, self.skin, self.place = performer, look, skin, place
        self.sizes = skin.sizes
        self.turn = rotation(0.0, yaw, 0.0)

    def joints_at(self, time_seconds: float) -> tuple[Joints, Moment]:
        """Return the joints, in the frame of the person, and the moment of the motion."""
        moment = self.performer.at(time_seconds)
        joints = solve(moment.pose, self.sizes)
        return (within_limits(joints, self.sizes) if isinstance(self.skin, MeshSkin) else joints), moment

    def keypoints(self, joints: Joints) -> Floats:
        """Return the 17 keypoints (17, 3) in the world."""
        return self.to_world(self.skin.keypoints(joints))

    def at(
        self, time_seconds: float, person: int, camera: Camera, objects: ObjectIds
    ) -> tuple[Mesh | Triangles, Joints, Moment]:
        """Return body and props in the world, the joints and the moment.

        Args:
            time_seconds: time in the video.
            person: index from 1.
            camera: its distance decides how finely a shaped body is drawn.
            objects: ids of the frame's objects; those of this person are added.
        """
        joints, moment = self.joints_at(time_seconds)
        props = [*moment.props, *self._extra_props(moment, joints)]
        tubes = [held_to_tube(prop, joints, self.sizes.scale) if isinstance(prop, HeldTube) else prop for prop in props]
        prop_meshes = [tube_mesh(tube, objects.id_of(person, tube.object_key)) for tube in tubes]
        if self.look.textures:
            prop_meshes = [textured(prop_mesh, index % SCENE_LAYERS) for index, prop_mesh in enumerate(prop_meshes)]
        if isinstance(self.skin, Skin):
            return moved(joined([self.skin.mesh(joints, person), *prop_meshes]), self.turn, self.place), joints, moment
        distance = float(np.linalg.norm(camera.eye - self.place))
        level = level_of(self.skin.height * camera.focal / max(distance, 0.5))
        body = self.skin.surface(joints, person, level=level)
        surface = joined_triangles([body, *(triangulated(prop_mesh) for prop_mesh in prop_meshes)])
        return replace(surface, vertices=self.to_world(surface.vertices)), joints, moment

    def _extra_props(self, moment: Moment, joints: Joints) -> list[HeldTube]:
        """Return the props that the look puts into empty hands, and close these hands."""
        extra = []
        if not any(isinstance(prop, HeldTube) for prop in moment.props):
            for side, props in self.look.props.items():
                joints.grips[side] = max(joints.grips[side], 0.7)
                extra += props
        return extra

    def to_world(self, points: Floats) -> Floats:
        """Transform points (..., 3) from the frame of the person to the world."""
        return points @ self.turn.T + self.place


@dataclass(frozen=True)
class Cast:
    """The people of a scene and its camera; keypoints and states need no rendering."""

    actors: list[Actor]
    camera: CameraPath | Shots
    lens: FrameLens | None = None  # of the look "video"
    people: Floats | None = None  # (T, N, 17, 3) keypoints in the world at `sight.TIMES`, of the look "video"

    def keypoints(self, time_seconds: float) -> tuple[Floats, list[dict[str, str]]]:
        """Return the keypoints in the image and the states of all people at a time, as a perfect detector would.

        Returns:
            (N, 17, 2) pixels, also outside the frame, and for each person part -> state.
        """
        camera = self.camera.at(time_seconds)
        actor_states = [(actor, *actor.joints_at(time_seconds)) for actor in self.actors]
        points = np.stack([actor.keypoints(joints) for actor, joints, _ in actor_states])  # (N, 17, 3)
        pixels = camera.project(points)[0]
        if self.lens:
            pixels = self.lens.to_frame(pixels, time_seconds)
        return pixels, [moment.states for _, _, moment in actor_states]

    def sight(self, min_keypoints: int) -> Sight:
        """Return what the cameras see of the main performer past the others; see `Sight`."""
        assert self.lens is not None
        assert self.people is not None
        cameras = [self.camera.at(time) for time in TIMES]
        in_sight, pixels = [], []
        for time, camera, people in zip(TIMES, cameras, self.people, strict=True):
            clear = unhidden(camera.eye, people[0], people[1:])
            in_sight.append(clear & inside(camera, people[0], self.lens.size))
            pixels.append(self.lens.to_frame(camera.project(people[0])[0], time))
        return Sight(cameras, self.people[:, 0], np.stack(in_sight), np.stack(pixels), min_keypoints=min_keypoints)


def build_cast(seed: int, action: str, *, config: SceneConfig | None = None) -> Cast:
    """Build the people and the camera of `build_scene` with the same seed, at a fraction of its cost.

    Raises:
        ConfigError: the action is not one of `actions.registry.ACTIONS` or `OTHER_MOTIONS`.
    """
    config = config or SceneConfig()
    return draw_place_and_cast(np.random.default_rng(seed), action, config, extra_rng(seed, config))[1]


def extra_rng(seed: int, config: SceneConfig) -> np.random.Generator | None:
    """Return the generator of the additions of the looks "varied" and "video"; None in the look "plain"."""
    return None if config.look == "plain" else np.random.default_rng([seed, VARIED_CODE])


def draw_place_and_cast(
    rng: np.random.Generator, action: str, config: SceneConfig, extra: np.random.Generator | None
) -> tuple[str, Cast]:
    """Return the name of the place, and the cast."""
    hints = scene_hints(action)
    place = hints.places[rng.integers(len(hints.places))]
    actors = _draw_actors(rng, action, hints, config, extra)
    if extra is not None and config.look == "video":
        frame = config.sizes[extra.integers(len(config.sizes))] if config.sizes else config.size
        lens = draw_lens(extra, frame, bars_share=config.bars_share)
        people = _keypoints_over_time(actors)
        shares = ShotShares(
            cut=config.cut_share,
            close=config.close_share,
            turned=config.turned_share,
            moving=config.moving_camera_share,
            bottom=config.bottom_crop_share,
            side=config.side_crop_share,
            top=config.top_crop_share,
        )
        shots = draw_shots(extra, people, hints.size_metres, lens.size, shares)
        return place, Cast(actors, shots, lens, people)
    camera = _draw_camera_path(rng, hints, actors, config)
    if extra is not None:
        camera = _vary_camera(extra, camera, actors, config)
    return place, Cast(actors, camera)


def _keypoints_over_time(actors: list[Actor]) -> Floats:
    """Return keypoints (T, N, 17, 3) at `TIMES`; those of all but the first are less frequent, each lasts a while."""
    step = 3  # of `TIMES`
    tracks = []
    for index, actor in enumerate(actors):
        every = step if index else 1
        points = [actor.to_world(actor.joints_at(time)[0].keypoints(actor.sizes.scale)) for time in TIMES[::every]]
        tracks.append(np.repeat(np.stack(points), every, axis=0)[: len(TIMES)])
    return np.stack(tracks, axis=1)


def _vary_camera(rng: np.random.Generator, path: CameraPath, actors: list[Actor], config: SceneConfig) -> CameraPath:
    """Roll the camera or bring it close to a part of someone's body, in a share of scenes."""
    start = path.start
    if rng.random() < config.close_share:
        position = actors[rng.integers(len(actors))].place
        target = position + [rng.normal(0, 0.2), rng.uniform(0.2, 1.6), 0]
        start = replace(start, target=target, focal=start.focal * rng.uniform(1.2, 2.4))
    if rng.random() < config.turned_share:
        angle = float(rng.choice([np.pi / 2, -np.pi / 2, np.pi, 0.0], p=(0.3, 0.3, 0.2, 0.2)))
        start = replace(start, roll=start.roll + angle + rng.uniform(-np.pi / 4, np.pi / 4))
    return replace(path, start=start)


def _draw_look(
    rng: np.random.Generator, hints: Mapping[str, float], detail: float, extra: np.random.Generator | None
) -> Look:
    return Look(rng, hints, detail=detail) if extra is None else VariedLook(rng, hints, extra, detail=detail)


def _draw_actors(
    rng: np.random.Generator, action: str, hints: SceneHints, config: SceneConfig, extra: np.random.Generator | None
) -> list[Actor]:
    num_group = 1
    if hints.max_group > 1 and rng.random() < hints.group_share:
        num_group = int(rng.integers(2, hints.max_group + 1))
    num_others = int(rng.choice([1, 1, 2, 3])) if rng.random() < config.bystander_share else 0
    yaw = rng.uniform(-np.pi, np.pi)
    if hints.hides_performer and np.cos(yaw) > 0.8:  # facing the camera, with the prop in between
        yaw += np.pi / 2
    positions = [np.zeros(3)]
    actors = [_draw_performer(rng, action, positions[0], yaw, config, extra)]
    for helper in hints.helpers:
        body = _draw_body(rng, config)
        look = _draw_look(rng, {}, 0.9 * config.detail, extra)
        position = rotation(0.0, yaw, 0.0) @ np.array([helper.x, 0.0, helper.z])
        positions.append(position)
        performer = build_helper(helper, rng, _sizes(body))
        actors.append(Actor(performer, look, _skin(body, look, rng), position, yaw + helper.yaw))
    for index in range(min(num_group - 1 + num_others, MAX_PERSONS - len(actors))):
        is_performer = index < num_group - 1
        position = _draw_free_position(rng, positions, hints.size_metres[1] if is_performer else PERSON_SPACE)
        if position is None:
            continue
        positions.append(position)
        if is_performer:
            actors.append(_draw_performer(rng, action, position, yaw + rng.normal(0, 0.35), config, extra))
        else:
            body = _draw_body(rng, config)
            look = _draw_look(rng, {}, 0.9 * config.detail, extra)
            performer = build_bystander(rng, _sizes(body), hints.bystanders)
            actors.append(Actor(performer, look, _skin(body, look, rng), position, rng.uniform(-np.pi, np.pi)))
    return actors


def _draw_performer(
    rng: np.random.Generator,
    action: str,
    position: Floats,
    yaw: float,
    config: SceneConfig,
    extra: np.random.Generator | None,
) -> Actor:
    body = _draw_body(rng, config, action)
    performer = build_performer(action, rng, _sizes(body))
    look = _draw_look(rng, performer.look, 1.15 * config.detail, extra)
    return Actor(performer, look, _skin(body, look, rng), position, yaw)


def _draw_body(rng: np.random.Generator, config: SceneConfig, action: str | None = None) -> BodySizes | Shape:
    """Draw the body of a performer of `action`, or of anyone else."""
    if config.body == "mesh":
        return build_shape(draw_phenotypes(rng, is_baby=action in BABY_ACTIONS))
    return draw_sizes(rng) if action is None else draw_body(action, rng)


def _sizes(body: BodySizes | Shape) -> BodySizes:
    return body if isinstance(body, BodySizes) else body.sizes


def _skin(body: BodySizes | Shape, look: Look, rng: np.random.Generator) -> Skin | MeshSkin:
    if isinstance(body, BodySizes):
        return Skin(body, look)
    return MeshSkin(body, dress(rng, look, gender=body.gender, age=body.age))


def _draw_free_position(rng: np.random.Generator, positions: list[Floats], space: float) -> Floats | None:
    """Draw a position beside or behind the others (the camera is at +z), or return None if there is no room."""
    for _ in range(40):
        position = np.array([rng.uniform(-2.2, 2.2), 0.0, rng.uniform(-2.6, 0.6)])
        distances = [float(np.hypot(*(position - other_position)[[0, 2]])) for other_position in positions]
        if min(distances) > max(space, PERSON_SPACE) and (position[2] < 0.2 or abs(position[0]) > 1.1):
            return position
    return None


def _draw_camera_path(
    rng: np.random.Generator, hints: SceneHints, actors: list[Actor], config: SceneConfig
) -> CameraPath:
    height, width = config.size
    shown = actors[:1] if hints.close else actors
    # less than the full spread: the border may cut some people
    spread = max(abs(float(actor.place[0])) for actor in shown) * rng.uniform(0.2, 1.0)
    height_metres, width_metres = hints.size_metres
    body = min(height_metres, BODY_HEIGHT)
    framing = draw_framing(
        rng,
        bottom=config.bottom_crop_share,
        side=config.side_crop_share,
        top=config.top_crop_share,
        lying=height_metres < LYING_HEIGHT,
    )
    visible_height = height_metres - framing.bottom * body if not framing.top else (1 - framing.top) * body
    visible_width = (width_metres + spread) * (1 - framing.bottom)
    extent = max(visible_height, visible_width * height / width)
    distance = rng.uniform(3.4, 6.5)
    elevation = rng.uniform(-0.02, 0.36)
    fill = rng.uniform(0.72, 1.1)  # share of the frame's height for the space of the performer
    middle = float(np.mean([actor.place[0] for actor in shown])) * 0.7
    target = np.array([middle + rng.normal(0, 0.1) * extent, 0.5 * min(extent, height_metres) + rng.normal(0, 0.06), 0])
    picture_height = extent / fill  # of the picture at the performer, metres
    picture_width = extent / fill * width / height
    if framing.bottom:
        target[1] = framing.bottom * body + 0.5 * picture_height
    if framing.top:
        target[1] = (1 - framing.top) * body - 0.5 * picture_height
    if framing.left:
        target[0] = (framing.left - 0.5) * BODY_WIDTH + 0.5 * picture_width
    if framing.right:
        target[0] = (0.5 - framing.right) * BODY_WIDTH - 0.5 * picture_width
    eye = target + distance * np.array([0.0, np.sin(elevation), np.cos(elevation)])
    eye[1] = max(eye[1], 0.35)
    center = np.array([width, height]) / 2
    roll = rng.normal(0, 0.02) + hints.slope * float(actors[0].turn[0, 2])  # the slope as the camera sees it
    start = Camera(eye, target, fill * height * distance / extent, roll, center)
    moving = rng.random() < config.moving_camera_share
    speed = 1.0 if moving else 0.0
    return CameraPath(
        start=start,
        drift=speed * rng.normal(0, [0.14, 0.02, 0.06]),
        pan=speed * rng.normal(0, [0.05, 0.01, 0.0]),
        zoom=speed * rng.normal(0, 0.008),
        sway=float(rng.choice([0.0, 0.01, 0.03])),
        sway_phase=rng.uniform(0, 2 * np.pi, 6),
        shake=float(rng.choice([0.0, 0.0, 0.4, 1.0, 2.2])) * height / USUAL_HEIGHT,
        tempo=rng.uniform(0.5, 1.4),
    )
