"""A scene of SynthTPS: a place, people who act in it, a camera, and what it all looks like at any time."""

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
USUAL_HEIGHT = 240  # pixels of a frame, for which shake and blur are given
PERSON_SPACE = 0.95  # metres between two people's places
LOOKS = ("plain", "varied")
VARIED_CODE = 7_301  # beside the seed: what the look "varied" adds comes from numbers of its own
SCENE_LAYERS = 6  # textures of furniture and props; those of people come after them
BODY_HEIGHT, BODY_WIDTH = 1.75, 0.7  # metres of a usual performer that a border may cut; the arms at the sides
LYING_HEIGHT = 1.4  # metres; performers who need less room upwards are near the floor


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Size of the frames and how hard the scenes are; the shares are probabilities.

    Look "plain" is that of the benchmark. Look "varied" shows the same people doing the same from the same seed, with
    textures, other builds and clothes, things in hands and in front, any camera roll, close views and image effects.
    """

    size: tuple[int, int] = (240, 320)  # (height, width), pixels
    fps: float = 10.0
    supersampling: int = 2
    bystander_share: float = 0.35  # of scenes
    occluder_share: float = 0.25
    low_light_share: float = 0.12
    blur_share: float = 0.15  # of scenes with visible motion blur
    moving_camera_share: float = 0.5
    bottom_crop_share: float = 0.15  # of scenes whose main performer is cut by the lower border; half from the waist up
    side_crop_share: float = 0.07
    top_crop_share: float = 0.03
    detail: float = 1.0  # of bodies: factor on the number of sides of their round surfaces
    look: str = "plain"  # or "varied"
    turned_share: float = 0.3  # of varied scenes, whose camera is rolled by any angle, so that people lie or hang
    close_share: float = 0.3  # of varied scenes, whose camera shows a piece of the body
    covered_share: float = 0.4  # of varied scenes with something close to the camera over a person

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
    """A frame (H, W, 3) uint8 RGB with its truth, which is read off the id plane.

    `ids` (H, W) is `IDS_PER_PERSON` x person + part where a person shows, both from 1 (parts in the order of PARTS, 11
    for the rest of the trunk); 255 where something that belongs to nobody shows, 0 elsewhere.
    """

    image: Image
    persons: tuple[PersonTruth, ...]
    ids: Image


class Actor:
    """One person of a scene: body, clothes, place on the floor, and what they do."""

    def __init__(self, performer: Performer, sizes: BodySizes, look: Look, place: Floats, yaw: float) -> None:
        self.performer, self.sizes, self.place = performer, sizes, place
        self.skin = Skin(sizes, look)
        self.turn = rotation(0.0, yaw, 0.0)

    def joints_at(self, time_seconds: float) -> tuple[Joints, Moment]:
        """Where the joints are, in the person's frame, and what the person does."""
        moment = self.performer.at(time_seconds)
        return solve(moment.pose, self.sizes), moment

    def keypoints(self, joints: Joints) -> Floats:
        """The 17 keypoints (17, 3) in the world."""
        return self.to_world(joints.keypoints(self.sizes.scale))

    def at(self, time_seconds: float, person: int) -> tuple[Mesh, Joints, Moment]:
        """Body and props as one mesh in the world."""
        joints, moment = self.joints_at(time_seconds)
        props = [*moment.props, *self._extra_props(moment, joints)]
        tubes = [held_to_tube(prop, joints, self.sizes.scale) if isinstance(prop, HeldTube) else prop for prop in props]
        things = [tube_mesh(tube) for tube in tubes]
        if self.skin.look.textures:
            things = [textured(thing, number % SCENE_LAYERS) for number, thing in enumerate(things)]
        meshes = [self.skin.mesh(joints, person), *things]
        return moved(joined(meshes), self.turn, self.place), joints, moment

    def _extra_props(self, moment: Moment, joints: Joints) -> list[HeldTube]:
        """What the look puts into hands that hold nothing; they close about it."""
        extra = []
        if not any(isinstance(prop, HeldTube) for prop in moment.props):
            for side, props in self.skin.look.props.items():
                joints.grips[side] = max(joints.grips[side], 0.7)
                extra += props
        return extra

    def to_world(self, points: Floats) -> Floats:
        """Points (..., 3) of the person's frame -> world."""
        return points @ self.turn.T + self.place


@dataclass(frozen=True)
class Lens:
    """What the camera's glass and sensor do to the picture."""

    gain: float
    softness: float  # sigma of the blur, pixels
    noise: float  # sigma, grey levels
    shutter_seconds: float  # 0 freezes motion
    seed: int


@dataclass(frozen=True)
class Cast:
    """The people of a scene and the camera that sees them: what they do can be told without painting it."""

    actors: list[Actor]
    camera: CameraPath

    def keypoints(self, time_seconds: float) -> tuple[Floats, list[dict[str, str]]]:
        """What a perfect eye would find at a time.

        Returns:
            (N, 17, 2) pixels, beyond the frame too, and of each person part -> state.
        """
        camera = self.camera.at(time_seconds)
        seen = [(actor, *actor.joints_at(time_seconds)) for actor in self.actors]
        points = np.stack([actor.keypoints(joints) for actor, joints, _ in seen])  # (N, 17, 3)
        return camera.project(points)[0], [moment.states for _, _, moment in seen]


@dataclass(frozen=True)
class Varied:
    """What a scene of the look "varied" has beside the rest."""

    textures: Image  # (L, CLOTH_SIDE, CLOTH_SIDE, 3): `SCENE_LAYERS`, then those of each actor
    overlays: list[Overlay]
    effects: Effects


class Scene:
    """Everything of one video; `render` is a function of time alone."""

    def __init__(
        self,
        config: SceneConfig,
        backdrop: Backdrop,
        actors: list[Actor],
        things: list[Mesh],
        camera: CameraPath,
        light: Light,
        lens: Lens,
        *,
        varied: Varied | None = None,
    ) -> None:
        self.config, self.backdrop, self.actors = config, backdrop, actors
        self._things, self._camera, self.light, self.lens = things, camera, light, lens
        self._varied = varied

    def render(self, time_seconds: float, *, with_truth: bool = True) -> Rendered:
        """The frame at a time, in seconds, and with `with_truth` the truth of everyone who can be seen in it."""
        camera = self._camera.at(time_seconds)
        sharp, ids, placed = self._draw(camera, time_seconds)
        if self.lens.shutter_seconds > 0:
            sharp = self._blurred(sharp, time_seconds)
        for overlay in self._varied.overlays if self._varied else ():
            overlay.put(sharp, ids, time_seconds)
        asked = placed if with_truth else []
        persons = [self._truth(ids, number, camera, *found) for number, found in enumerate(asked, start=1)]
        return Rendered(self._expose(sharp, time_seconds), tuple(p for p in persons if p is not None), ids)

    def _blurred(self, sharp: Image, time_seconds: float) -> Image:
        """The picture of an open shutter: this moment, a little before and a little after."""
        half = self.lens.shutter_seconds / 2
        before, after = (self._draw(self._camera.at(t), t)[0] for t in (time_seconds - half, time_seconds + half))
        return ((before.astype(np.uint16) + sharp + sharp + after) // 4).astype(np.uint8)

    def _draw(self, camera: Camera, time_seconds: float) -> tuple[Image, Image, list[tuple[Joints, Moment]]]:
        seen = [actor.at(time_seconds, number) for number, actor in enumerate(self.actors, start=1)]
        ground = self.backdrop.draw(camera)
        bones, radii = self._shadows([joints for _, joints, _ in seen])
        cast_shadow(ground, bones, radii, camera, self.light, strength=0.5)
        factor, (height, width) = self.config.supersampling, self.config.size
        mesh = joined([*self._things, *(mesh for mesh, _, _ in seen)])
        base = ground if self._varied else cv2.cvtColor(ground, cv2.COLOR_RGB2RGBA)
        if not self._varied:
            base[..., 3] = 0  # the id plane: nobody yet
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
        return np.asarray(image, np.uint8), ids, [(joints, moment) for _, joints, moment in seen]

    def _shadows(self, joints: list[Joints]) -> tuple[Floats, Floats]:
        lines, radii = [], []
        for actor, solved in zip(self.actors, joints, strict=True):
            bones, kinds = shadow_bones(solved)
            lines.append(actor.to_world(bones))
            radii += [actor.skin.shadow_radii[kind] for kind in kinds]
        return np.concatenate(lines), np.array(radii)

    def _truth(self, ids: Image, number: int, camera: Camera, joints: Joints, moment: Moment) -> PersonTruth | None:
        actor = self.actors[number - 1]
        points = actor.keypoints(joints)
        pixels, depths = camera.project(points)
        if depths.min() < 0.3:
            return None
        facing = np.ones(len(points), bool)
        head = actor.to_world(joints.head)
        facing[:5] = ((points[:5] - head) * (camera.eye - points[:5])).sum(axis=1) > 0  # of the face
        return annotate(ids, number, pixels, facing, moment.states)

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
        if lens.noise > 5:  # a dark picture's noise has colours
            grain = grain + rng.standard_normal((*self.config.size, 3), np.float32) * (lens.noise * 0.5)
        exposed = image * np.float32(lens.gain) + grain
        np.maximum(exposed, 0, out=exposed)
        return np.asarray(cv2.convertScaleAbs(exposed), np.uint8)


def build_scene(seed: int, action: str, *, config: SceneConfig | None = None) -> Scene:
    """A scene in which `action` is done; everything follows from the seed.

    Raises:
        ConfigError: the action is not one of `motion.ACTIONS` or `motion.OTHER_MOTIONS`.
    """
    config = config or SceneConfig()
    rng, extra = np.random.default_rng(seed), _varied_rng(seed, config)
    place, cast = _place_and_cast(rng, action, config, extra)
    actors, camera = cast.actors, cast.camera
    light = _light(rng, sky=place.sky)
    things = _things(rng, place.furniture, actors, camera.start, config)
    if extra is None:
        backdrop = Backdrop(rng, place, config.size)
        return Scene(config, backdrop, actors, things, camera, light, _lens(rng, config))
    backdrop = VariedBackdrop(extra, place, config.size)
    things = [textured(thing, int(extra.integers(SCENE_LAYERS))) for thing in things]
    lens = _lens(rng, config)
    return Scene(config, backdrop, actors, things, camera, light, lens, varied=_varied(extra, cast, config))


def build_cast(seed: int, action: str, *, config: SceneConfig | None = None) -> Cast:
    """The people and the camera of `build_scene` with the same seed, at a fraction of its cost.

    Raises:
        ConfigError: the action is not one of `motion.ACTIONS` or `motion.OTHER_MOTIONS`.
    """
    config = config or SceneConfig()
    return _place_and_cast(np.random.default_rng(seed), action, config, _varied_rng(seed, config))[1]


def _varied_rng(seed: int, config: SceneConfig) -> np.random.Generator | None:
    """Where the look "varied" comes from; None in the look "plain"."""
    return np.random.default_rng([seed, VARIED_CODE]) if config.look == "varied" else None


def _place_and_cast(
    rng: np.random.Generator, action: str, config: SceneConfig, extra: np.random.Generator | None
) -> tuple[Place, Cast]:
    hints = scene_hints(action)
    place = PLACES[hints.places[rng.integers(len(hints.places))]]
    actors = _cast(rng, action, hints, config, extra)
    camera = _camera_path(rng, hints, actors, config)
    if extra is not None:
        camera = _varied_camera(extra, camera, actors, config)
    return place, Cast(actors, camera)


def _varied_camera(rng: np.random.Generator, path: CameraPath, actors: list[Actor], config: SceneConfig) -> CameraPath:
    """The same camera rolled or brought near a piece of someone's body, in a share of scenes."""
    start = path.start
    if rng.random() < config.close_share:
        place = actors[rng.integers(len(actors))].place
        target = place + [rng.normal(0, 0.2), rng.uniform(0.2, 1.6), 0]
        start = replace(start, target=target, focal=start.focal * rng.uniform(1.2, 2.4))
    if rng.random() < config.turned_share:
        around = float(rng.choice([np.pi / 2, -np.pi / 2, np.pi, 0.0], p=(0.3, 0.3, 0.2, 0.2)))
        start = replace(start, roll=start.roll + around + rng.uniform(-np.pi / 4, np.pi / 4))
    return replace(path, start=start)


def _varied(rng: np.random.Generator, cast: Cast, config: SceneConfig) -> Varied:
    """Textures, overlays and effects of a scene; the actors' textures get their places among all."""
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


def _look(
    rng: np.random.Generator, hints: Mapping[str, float], detail: float, extra: np.random.Generator | None
) -> Look:
    return Look(rng, hints, detail=detail) if extra is None else VariedLook(rng, hints, extra, detail=detail)


def _cast(
    rng: np.random.Generator, action: str, hints: SceneHints, config: SceneConfig, extra: np.random.Generator | None
) -> list[Actor]:
    num_group = 1
    if hints.max_group > 1 and rng.random() < hints.group_probability:
        num_group = int(rng.integers(2, hints.max_group + 1))
    num_others = int(rng.choice([1, 1, 2, 3])) if rng.random() < config.bystander_share else 0
    yaw = rng.uniform(-np.pi, np.pi)
    if hints.hides_performer and np.cos(yaw) > 0.8:  # turned to the camera, with the prop between
        yaw += np.pi / 2
    places = [np.zeros(3)]
    actors = [_performing(rng, action, places[0], yaw, config, extra)]
    for number in range(min(num_group - 1 + num_others, MAX_PERSONS - 1)):
        acts = number < num_group - 1
        spot = _free_place(rng, places, hints.width_metres if acts else PERSON_SPACE)
        if spot is None:
            continue
        places.append(spot)
        if acts:
            actors.append(_performing(rng, action, spot, yaw + rng.normal(0, 0.35), config, extra))
        else:
            sizes = draw_sizes(rng)
            look = _look(rng, {}, 0.9 * config.detail, extra)
            actors.append(Actor(build_bystander(rng, sizes), sizes, look, spot, rng.uniform(-np.pi, np.pi)))
    return actors


def _performing(
    rng: np.random.Generator,
    action: str,
    place: Floats,
    yaw: float,
    config: SceneConfig,
    extra: np.random.Generator | None,
) -> Actor:
    sizes = draw_sizes(rng)
    performer = build_performer(action, rng, sizes)
    return Actor(performer, sizes, _look(rng, performer.look, 1.15 * config.detail, extra), place, yaw)


def _free_place(rng: np.random.Generator, taken: list[Floats], space: float) -> Floats | None:
    """Somewhere beside or behind the others (the camera stands at +z), or None where it is too crowded."""
    for _ in range(40):
        spot = np.array([rng.uniform(-2.2, 2.2), 0.0, rng.uniform(-2.6, 0.6)])
        distances = [float(np.hypot(*(spot - other)[[0, 2]])) for other in taken]
        if min(distances) > max(space, PERSON_SPACE) and (spot[2] < 0.2 or abs(spot[0]) > 1.1):
            return spot
    return None


def _camera_path(rng: np.random.Generator, hints: SceneHints, actors: list[Actor], config: SceneConfig) -> CameraPath:
    height, width = config.size
    spread = max(abs(float(actor.place[0])) for actor in actors) * rng.uniform(0.2, 1.0)  # some are cut by the border
    body = min(hints.height_metres, BODY_HEIGHT)
    framing = draw_framing(
        rng,
        bottom=config.bottom_crop_share,
        side=config.side_crop_share,
        top=config.top_crop_share,
        lying=hints.height_metres < LYING_HEIGHT,
    )
    tall = hints.height_metres - framing.bottom * body if not framing.top else (1 - framing.top) * body
    wide = (hints.width_metres + spread) * (1 - framing.bottom)
    needed = max(tall, wide * height / width)
    distance = rng.uniform(3.4, 6.5)
    elevation = rng.uniform(-0.02, 0.36)
    fill = rng.uniform(0.72, 1.1)  # of the frame's height that the performer's room takes
    middle = float(np.mean([actor.place[0] for actor in actors])) * 0.7
    target = np.array(
        [middle + rng.normal(0, 0.1) * needed, 0.5 * min(needed, hints.height_metres) + rng.normal(0, 0.06), 0]
    )
    high, across = needed / fill, needed / fill * width / height  # metres that the picture shows, at the performer
    if framing.bottom:
        target[1] = framing.bottom * body + 0.5 * high
    if framing.top:
        target[1] = (1 - framing.top) * body - 0.5 * high
    if framing.left:
        target[0] = (framing.left - 0.5) * BODY_WIDTH + 0.5 * across
    if framing.right:
        target[0] = (0.5 - framing.right) * BODY_WIDTH - 0.5 * across
    eye = target + distance * np.array([0.0, np.sin(elevation), np.cos(elevation)])
    eye[1] = max(eye[1], 0.35)
    center = np.array([width, height]) / 2
    start = Camera(eye, target, fill * height * distance / needed, rng.normal(0, 0.02), center)
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


def _light(rng: np.random.Generator, *, sky: bool) -> Light:
    direction = normalised(np.array([rng.normal(), rng.uniform(0.7, 1.8), rng.uniform(-0.3, 1.3)]))
    diffuse = rng.uniform(0.4, 0.75) if sky else rng.uniform(0.25, 0.6)
    return Light(direction, diffuse, rng.uniform(0.45, 0.62), rng.uniform(0.92, 1.08, 3))


def _things(
    rng: np.random.Generator, kinds: tuple[str, ...], actors: list[Actor], camera: Camera, config: SceneConfig
) -> list[Mesh]:
    things: list[Mesh] = []
    for _ in range(int(rng.integers(0, 4))):
        spot = np.array([rng.uniform(-4.5, 4.5), 0.0, rng.uniform(-5.5, -1.4)])
        if min(float(np.hypot(*(spot - actor.place)[[0, 2]])) for actor in actors) > 1.2:
            things += furniture(rng, str(rng.choice(kinds)), spot)
    if rng.random() < config.occluder_share:
        ahead = rng.uniform(1.0, max(1.2, camera.eye[2] - 1.4))
        spot = np.array([camera.target[0] + rng.normal(0, 0.9), 0.0, ahead])
        things += furniture(rng, str(rng.choice(["post", "bench", "plant", "fence", "box"])), spot)
    return things


def _lens(rng: np.random.Generator, config: SceneConfig) -> Lens:
    dark = rng.random() < config.low_light_share
    return Lens(
        gain=rng.uniform(0.5, 0.7) if dark else rng.uniform(0.8, 1.15),
        softness=float(rng.choice([0.0, 0.0, 0.45, 0.8])) * config.size[0] / USUAL_HEIGHT,
        noise=rng.uniform(4, 8) if dark else rng.uniform(0.8, 4.5),
        shutter_seconds=float(rng.uniform(0.03, 0.07)) if rng.random() < config.blur_share else 0.0,
        seed=int(rng.integers(2**31)),
    )
