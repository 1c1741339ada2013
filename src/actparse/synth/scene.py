"""A scene of SynthTPS: scenery, people who act in it, and a camera; it can be rendered at any time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.synth.actions.registry import SceneHints, build_bystander, build_performer, scene_hints
from actparse.synth.annotate import PersonTruth, annotate
from actparse.synth.drawing.backdrop import PLACES, Backdrop, Place, VariedBackdrop, furniture
from actparse.synth.drawing.camera import Camera, CameraPath, draw_framing
from actparse.synth.drawing.effects import Effects, draw_effects
from actparse.synth.drawing.mesh import Floats, Mesh, joined, moved, normalised, textured, tube_mesh
from actparse.synth.drawing.occlusion import Overlay, draw_overlays
from actparse.synth.drawing.render import Light, cast_shadow, paint, paint_textured
from actparse.synth.drawing.texture import CLOTH_SIDE, grained, surface
from actparse.synth.motion.figure import BodySizes, HeldTube, Moment
from actparse.synth.motion.phases import Performer
from actparse.synth.motion.reach import rotation
from actparse.synth.people.body import Joints, Skin, draw_sizes, held_to_tube, shadow_bones, solve
from actparse.synth.people.look import Look
from actparse.synth.people.look_varied import VariedLook

Image = NDArray[np.uint8]
MAX_PERSONS = 7
USUAL_HEIGHT = 240  # frame height, pixels, for which shake and blur are specified
PERSON_SPACE = 0.95  # smallest distance between two people, metres
LOOKS = ("plain", "varied")
VARIED_CODE = 7_301  # seeds, with the scene's seed, a separate generator for the additions of the look "varied"
SCENE_LAYERS = 6  # number of textures for furniture and props; the people's textures follow
BODY_HEIGHT, BODY_WIDTH = 1.75, 0.7  # size in metres of an average performer, arms at the sides, for cuts by the border
LYING_HEIGHT = 1.4  # metres; performers who need less height are near the floor


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Size of the frames and difficulty of the scenes; fields named `*_share` are probabilities.

    The look "plain" is that of the benchmark. From the same seed, the look "varied" shows the same people in the same
    motions, with textures, other builds and clothes, props in hands, occluders, any camera roll, close views and image
    effects.
    """

    size: tuple[int, int] = (240, 320)  # (height, width), pixels
    fps: float = 10.0
    supersampling: int = 2
    bystander_share: float = 0.35  # of scenes with bystanders
    occluder_share: float = 0.25  # of scenes with furniture in front of the people
    low_light_share: float = 0.12  # of dark scenes
    blur_share: float = 0.15  # of scenes with visible motion blur
    moving_camera_share: float = 0.5  # of scenes with a moving camera
    bottom_crop_share: float = 0.15  # of scenes whose lower border cuts the main performer; half from the waist up
    side_crop_share: float = 0.07  # of scenes whose left or right border cuts the main performer
    top_crop_share: float = 0.03  # of scenes whose upper border cuts the main performer
    detail: float = 1.0  # factor on the number of sides of the bodies' round surfaces
    look: str = "plain"  # or "varied"
    turned_share: float = 0.3  # of varied scenes with a camera rolled by any angle: people seem to lie or hang
    close_share: float = 0.3  # of varied scenes with a camera that shows a part of the body
    covered_share: float = 0.4  # of varied scenes with an occluder close to the camera

    def __post_init__(self) -> None:
        if min(self.size) < 32:
            raise ConfigError(f"scene.size must be at least 32 x 32, got {self.size}")
        if self.supersampling < 1:
            raise ConfigError(f"scene.supersampling must be at least 1, got {self.supersampling}")
        if self.fps <= 0:
            raise ConfigError(f"scene.fps must be greater than 0, got {self.fps}")
        for name in ("bottom_crop_share", "side_crop_share", "top_crop_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"scene.{name} must be 0..1, got {getattr(self, name)}")
        if not 0 < self.detail < math.inf:
            raise ConfigError(f"scene.detail must be greater than 0 and finite, got {self.detail}")
        if self.look not in LOOKS:
            raise ConfigError(f"scene.look must be one of {', '.join(LOOKS)}, got {self.look!r}")
        for name in ("turned_share", "close_share", "covered_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"scene.{name} must be 0..1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Rendered:
    """A frame (H, W, 3) uint8 RGB with its ground truth, which is read from the id plane.

    `ids` (H, W) is `IDS_PER_PERSON` x person + part where a person is visible, both from 1 (parts in the order of
    PARTS, 11 for the rest of the trunk), 255 where an object is visible that belongs to nobody, and 0 elsewhere.
    """

    image: Image
    persons: tuple[PersonTruth, ...]
    ids: Image


class Actor:
    """One person of a scene: body, clothes, position on the floor, and motion."""

    def __init__(self, performer: Performer, sizes: BodySizes, look: Look, place: Floats, yaw: float) -> None:
        self.performer, self.sizes, self.place = performer, sizes, place
        self.skin = Skin(sizes, look)
        self.turn = rotation(0.0, yaw, 0.0)

    def joints_at(self, time_seconds: float) -> tuple[Joints, Moment]:
        """Return the joints, in the frame of the person, and the moment of the motion."""
        moment = self.performer.at(time_seconds)
        return solve(moment.pose, self.sizes), moment

    def keypoints(self, joints: Joints) -> Floats:
        """Return the 17 keypoints (17, 3) in the world."""
        return self.to_world(joints.keypoints(self.sizes.scale))

    def at(self, time_seconds: float, person: int) -> tuple[Mesh, Joints, Moment]:
        """Return body and props as one mesh in the world, the joints and the moment; `person` is an index from 1."""
        joints, moment = self.joints_at(time_seconds)
        props = [*moment.props, *self._extra_props(moment, joints)]
        tubes = [held_to_tube(prop, joints, self.sizes.scale) if isinstance(prop, HeldTube) else prop for prop in props]
        prop_meshes = [tube_mesh(tube) for tube in tubes]
        if self.skin.look.textures:
            prop_meshes = [textured(prop_mesh, index % SCENE_LAYERS) for index, prop_mesh in enumerate(prop_meshes)]
        meshes = [self.skin.mesh(joints, person), *prop_meshes]
        return moved(joined(meshes), self.turn, self.place), joints, moment

    def _extra_props(self, moment: Moment, joints: Joints) -> list[HeldTube]:
        """Return the props that the look puts into empty hands, and close these hands."""
        extra = []
        if not any(isinstance(prop, HeldTube) for prop in moment.props):
            for side, props in self.skin.look.props.items():
                joints.grips[side] = max(joints.grips[side], 0.7)
                extra += props
        return extra

    def to_world(self, points: Floats) -> Floats:
        """Transform points (..., 3) from the frame of the person to the world."""
        return points @ self.turn.T + self.place


@dataclass(frozen=True)
class Lens:
    """The effects of the camera's lens and sensor on the picture."""

    gain: float
    softness: float  # sigma of the blur, pixels
    noise: float  # sigma, grey levels
    shutter_seconds: float  # 0: no motion blur
    seed: int


@dataclass(frozen=True)
class Cast:
    """The people of a scene and its camera; keypoints and states need no rendering."""

    actors: list[Actor]
    camera: CameraPath

    def keypoints(self, time_seconds: float) -> tuple[Floats, list[dict[str, str]]]:
        """Return the keypoints in the image and the states of all people at a time, as a perfect detector would.

        Returns:
            (N, 17, 2) pixels, also outside the frame, and for each person part -> state.
        """
        camera = self.camera.at(time_seconds)
        actor_states = [(actor, *actor.joints_at(time_seconds)) for actor in self.actors]
        points = np.stack([actor.keypoints(joints) for actor, joints, _ in actor_states])  # (N, 17, 3)
        return camera.project(points)[0], [moment.states for _, _, moment in actor_states]


@dataclass(frozen=True)
class Varied:
    """The additional parts of a scene of the look "varied"."""

    textures: Image  # (L, CLOTH_SIDE, CLOTH_SIDE, 3): `SCENE_LAYERS`, then the textures of each actor
    overlays: list[Overlay]
    effects: Effects


class Scene:
    """All parts of one video; `render` depends only on time."""

    def __init__(
        self,
        config: SceneConfig,
        backdrop: Backdrop,
        actors: list[Actor],
        furniture_meshes: list[Mesh],
        camera: CameraPath,
        light: Light,
        lens: Lens,
        *,
        varied: Varied | None = None,
    ) -> None:
        self.config, self.backdrop, self.actors = config, backdrop, actors
        self._furniture_meshes, self._camera, self.light, self.lens = furniture_meshes, camera, light, lens
        self._varied = varied

    def render(self, time_seconds: float, *, with_truth: bool = True) -> Rendered:
        """Render the frame at a time, in seconds, and with `with_truth` the ground truth of everyone visible in it."""
        camera = self._camera.at(time_seconds)
        sharp, ids, solved_actors = self._draw(camera, time_seconds)
        if self.lens.shutter_seconds > 0:
            sharp = self._blur_motion(sharp, time_seconds)
        for overlay in self._varied.overlays if self._varied else ():
            overlay.put(sharp, ids, time_seconds)
        actors_with_truth = solved_actors if with_truth else []
        persons = [
            self._person_truth(ids, index, camera, *solved_actor)
            for index, solved_actor in enumerate(actors_with_truth, start=1)
        ]
        return Rendered(self._expose(sharp, time_seconds), tuple(p for p in persons if p is not None), ids)

    def _blur_motion(self, sharp: Image, time_seconds: float) -> Image:
        """Return the picture of an open shutter: the mean of this moment and of a moment before and after it."""
        half = self.lens.shutter_seconds / 2
        earlier, later = (self._draw(self._camera.at(t), t)[0] for t in (time_seconds - half, time_seconds + half))
        return ((earlier.astype(np.uint16) + sharp + sharp + later) // 4).astype(np.uint8)

    def _draw(self, camera: Camera, time_seconds: float) -> tuple[Image, Image, list[tuple[Joints, Moment]]]:
        actor_meshes = [actor.at(time_seconds, index) for index, actor in enumerate(self.actors, start=1)]
        ground = self.backdrop.draw(camera)
        bones, radii = self._shadow_lines([joints for _, joints, _ in actor_meshes])
        cast_shadow(ground, bones, radii, camera, self.light, strength=0.5)
        factor, (height, width) = self.config.supersampling, self.config.size
        mesh = joined([*self._furniture_meshes, *(mesh for mesh, _, _ in actor_meshes)])
        base = ground if self._varied else cv2.cvtColor(ground, cv2.COLOR_RGB2RGBA)
        if not self._varied:
            base[..., 3] = 0  # the id plane, empty at first
        enlarged = cv2.resize(base, (width * factor, height * factor), interpolation=cv2.INTER_NEAREST)
        canvas: Image = np.asarray(enlarged, np.uint8)
        if self._varied:
            planes = paint_textured(canvas, mesh, camera.scaled(factor), self.light, self._varied.textures)
        else:
            paint(canvas, mesh, camera.scaled(factor), self.light)
            planes = canvas[..., 3]
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        image = small if self._varied else cv2.cvtColor(small, cv2.COLOR_RGBA2RGB)
        ids = planes[factor // 2 :: factor, factor // 2 :: factor]
        return np.asarray(image, np.uint8), ids, [(joints, moment) for _, joints, moment in actor_meshes]

    def _shadow_lines(self, joints: list[Joints]) -> tuple[Floats, Floats]:
        lines, radii = [], []
        for actor, actor_joints in zip(self.actors, joints, strict=True):
            bones, kinds = shadow_bones(actor_joints)
            lines.append(actor.to_world(bones))
            radii += [actor.skin.shadow_radii[kind] for kind in kinds]
        return np.concatenate(lines), np.array(radii)

    def _person_truth(
        self, ids: Image, person: int, camera: Camera, joints: Joints, moment: Moment
    ) -> PersonTruth | None:
        actor = self.actors[person - 1]
        points = actor.keypoints(joints)
        pixels, depths = camera.project(points)
        if depths.min() < 0.3:
            return None
        facing = np.ones(len(points), bool)
        head = actor.to_world(joints.head)
        facing[:5] = ((points[:5] - head) * (camera.eye - points[:5])).sum(axis=1) > 0  # face keypoints
        return annotate(ids, person, pixels, facing, moment.states)

    def _expose(self, image: Image, time_seconds: float) -> Image:
        lens = self.lens
        if self._varied:
            rng = np.random.default_rng([lens.seed, round(time_seconds * 1000) & 0x7FFFFFFF])
            return self._varied.effects.apply(image, rng)
        if lens.softness > 0:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), lens.softness), np.uint8)
        rng = np.random.default_rng([lens.seed, round(time_seconds * 1000) & 0x7FFFFFFF])
        grey = rng.standard_normal(self.config.size, np.float32) * lens.noise
        grain = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.float32)
        if lens.noise > 5:  # the noise of dark pictures is coloured
            grain = grain + rng.standard_normal((*self.config.size, 3), np.float32) * (lens.noise * 0.5)
        exposed = image * np.float32(lens.gain) + grain
        np.maximum(exposed, 0, out=exposed)
        return np.asarray(cv2.convertScaleAbs(exposed), np.uint8)


def build_scene(seed: int, action: str, *, config: SceneConfig | None = None) -> Scene:
    """Build a scene in which people do `action`; the seed determines everything.

    Raises:
        ConfigError: the action is not one of `motion.ACTIONS` or `motion.OTHER_MOTIONS`.
    """
    config = config or SceneConfig()
    rng, extra = np.random.default_rng(seed), _extra_rng(seed, config)
    place, cast = _draw_place_and_cast(rng, action, config, extra)
    actors, camera = cast.actors, cast.camera
    light = _draw_light(rng, sky=place.sky)
    furniture_meshes = _draw_furniture(rng, place.furniture, actors, camera.start, config)
    if extra is None:
        backdrop = Backdrop(rng, place, config.size)
        return Scene(config, backdrop, actors, furniture_meshes, camera, light, _draw_lens(rng, config))
    backdrop = VariedBackdrop(extra, place, config.size)
    furniture_meshes = [textured(mesh, int(extra.integers(SCENE_LAYERS))) for mesh in furniture_meshes]
    lens = _draw_lens(rng, config)
    return Scene(
        config, backdrop, actors, furniture_meshes, camera, light, lens, varied=_draw_varied(extra, cast, config)
    )


def build_cast(seed: int, action: str, *, config: SceneConfig | None = None) -> Cast:
    """Build the people and the camera of `build_scene` with the same seed, at a fraction of its cost.

    Raises:
        ConfigError: the action is not one of `motion.ACTIONS` or `motion.OTHER_MOTIONS`.
    """
    config = config or SceneConfig()
    return _draw_place_and_cast(np.random.default_rng(seed), action, config, _extra_rng(seed, config))[1]


def _extra_rng(seed: int, config: SceneConfig) -> np.random.Generator | None:
    """Return the generator of the additions of the look "varied"; None in the look "plain"."""
    return np.random.default_rng([seed, VARIED_CODE]) if config.look == "varied" else None


def _draw_place_and_cast(
    rng: np.random.Generator, action: str, config: SceneConfig, extra: np.random.Generator | None
) -> tuple[Place, Cast]:
    hints = scene_hints(action)
    place = PLACES[hints.places[rng.integers(len(hints.places))]]
    actors = _draw_actors(rng, action, hints, config, extra)
    camera = _draw_camera_path(rng, hints, actors, config)
    if extra is not None:
        camera = _vary_camera(extra, camera, actors, config)
    return place, Cast(actors, camera)


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


def _draw_varied(rng: np.random.Generator, cast: Cast, config: SceneConfig) -> Varied:
    """Draw textures, overlays and effects of a scene; shift the actors' texture indices to match."""
    layers = [grained(rng, np.full(3, 255.0), rng.uniform(0.05, 0.3)) for _ in range(SCENE_LAYERS // 2)]
    for _ in range(SCENE_LAYERS - len(layers)):
        pattern = surface(rng, (CLOTH_SIDE, CLOTH_SIDE)).astype(np.float32)
        layers.append(np.clip(pattern * (200 / max(float(pattern.mean()), 20)), 0, 255).astype(np.uint8))
    for actor in cast.actors:
        actor.skin.shift_layers(len(layers))
        layers += actor.skin.look.textures
    points, _ = cast.keypoints(float(rng.uniform(0, 11)))
    people = points.reshape(-1, 2)
    overlays = draw_overlays(rng, config.size, people, occluder_share=config.covered_share)
    return Varied(np.stack(layers), overlays, draw_effects(rng, config.size))


def _draw_look(
    rng: np.random.Generator, hints: Mapping[str, float], detail: float, extra: np.random.Generator | None
) -> Look:
    return Look(rng, hints, detail=detail) if extra is None else VariedLook(rng, hints, extra, detail=detail)


def _draw_actors(
    rng: np.random.Generator, action: str, hints: SceneHints, config: SceneConfig, extra: np.random.Generator | None
) -> list[Actor]:
    num_group = 1
    if hints.max_group > 1 and rng.random() < hints.group_probability:
        num_group = int(rng.integers(2, hints.max_group + 1))
    num_others = int(rng.choice([1, 1, 2, 3])) if rng.random() < config.bystander_share else 0
    yaw = rng.uniform(-np.pi, np.pi)
    if hints.hides_performer and np.cos(yaw) > 0.8:  # facing the camera, with the prop in between
        yaw += np.pi / 2
    positions = [np.zeros(3)]
    actors = [_draw_performer(rng, action, positions[0], yaw, config, extra)]
    for index in range(min(num_group - 1 + num_others, MAX_PERSONS - 1)):
        is_performer = index < num_group - 1
        position = _draw_free_position(rng, positions, hints.width_metres if is_performer else PERSON_SPACE)
        if position is None:
            continue
        positions.append(position)
        if is_performer:
            actors.append(_draw_performer(rng, action, position, yaw + rng.normal(0, 0.35), config, extra))
        else:
            sizes = draw_sizes(rng)
            look = _draw_look(rng, {}, 0.9 * config.detail, extra)
            actors.append(Actor(build_bystander(rng, sizes), sizes, look, position, rng.uniform(-np.pi, np.pi)))
    return actors


def _draw_performer(
    rng: np.random.Generator,
    action: str,
    position: Floats,
    yaw: float,
    config: SceneConfig,
    extra: np.random.Generator | None,
) -> Actor:
    sizes = draw_sizes(rng)
    performer = build_performer(action, rng, sizes)
    return Actor(performer, sizes, _draw_look(rng, performer.look, 1.15 * config.detail, extra), position, yaw)


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
    # less than the full spread: the border may cut some people
    spread = max(abs(float(actor.place[0])) for actor in actors) * rng.uniform(0.2, 1.0)
    body = min(hints.height_metres, BODY_HEIGHT)
    framing = draw_framing(
        rng,
        bottom=config.bottom_crop_share,
        side=config.side_crop_share,
        top=config.top_crop_share,
        lying=hints.height_metres < LYING_HEIGHT,
    )
    visible_height = hints.height_metres - framing.bottom * body if not framing.top else (1 - framing.top) * body
    visible_width = (hints.width_metres + spread) * (1 - framing.bottom)
    extent = max(visible_height, visible_width * height / width)
    distance = rng.uniform(3.4, 6.5)
    elevation = rng.uniform(-0.02, 0.36)
    fill = rng.uniform(0.72, 1.1)  # share of the frame's height for the space of the performer
    middle = float(np.mean([actor.place[0] for actor in actors])) * 0.7
    target = np.array(
        [middle + rng.normal(0, 0.1) * extent, 0.5 * min(extent, hints.height_metres) + rng.normal(0, 0.06), 0]
    )
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
    start = Camera(eye, target, fill * height * distance / extent, rng.normal(0, 0.02), center)
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


def _draw_light(rng: np.random.Generator, *, sky: bool) -> Light:
    direction = normalised(np.array([rng.normal(), rng.uniform(0.7, 1.8), rng.uniform(-0.3, 1.3)]))
    diffuse = rng.uniform(0.4, 0.75) if sky else rng.uniform(0.25, 0.6)
    return Light(direction, diffuse, rng.uniform(0.45, 0.62), rng.uniform(0.92, 1.08, 3))


def _draw_furniture(
    rng: np.random.Generator, kinds: tuple[str, ...], actors: list[Actor], camera: Camera, config: SceneConfig
) -> list[Mesh]:
    meshes: list[Mesh] = []
    for _ in range(int(rng.integers(0, 4))):
        position = np.array([rng.uniform(-4.5, 4.5), 0.0, rng.uniform(-5.5, -1.4)])
        if min(float(np.hypot(*(position - actor.place)[[0, 2]])) for actor in actors) > 1.2:
            meshes += furniture(rng, str(rng.choice(kinds)), position)
    if rng.random() < config.occluder_share:
        ahead = rng.uniform(1.0, max(1.2, camera.eye[2] - 1.4))
        position = np.array([camera.target[0] + rng.normal(0, 0.9), 0.0, ahead])
        meshes += furniture(rng, str(rng.choice(["post", "bench", "plant", "fence", "box"])), position)
    return meshes


def _draw_lens(rng: np.random.Generator, config: SceneConfig) -> Lens:
    dark = rng.random() < config.low_light_share
    return Lens(
        gain=rng.uniform(0.5, 0.7) if dark else rng.uniform(0.8, 1.15),
        softness=float(rng.choice([0.0, 0.0, 0.45, 0.8])) * config.size[0] / USUAL_HEIGHT,
        noise=rng.uniform(4, 8) if dark else rng.uniform(0.8, 4.5),
        shutter_seconds=float(rng.uniform(0.03, 0.07)) if rng.random() < config.blur_share else 0.0,
        seed=int(rng.integers(2**31)),
    )
