"""A scene of SynthTPS: scenery, people who act in it, and a camera; it can be rendered at any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from actparse.synth.annotate import ObjectIds, ObjectTruth, PersonTruth, annotate
from actparse.synth.casting import Actor, Cast, draw_place_and_cast, extra_rng
from actparse.synth.config import SCENE_LAYERS, USUAL_HEIGHT, SceneConfig
from actparse.synth.drawing.backdrop import PLACES, Backdrop, VariedBackdrop, furniture
from actparse.synth.drawing.camera import Camera, CameraPath
from actparse.synth.drawing.effects import Effects, draw_effects
from actparse.synth.drawing.footage.clutter import clutter, surface_textures
from actparse.synth.drawing.footage.graphics import HIDES_FROM, Graphic, draw_graphics
from actparse.synth.drawing.footage.lens import FrameLens
from actparse.synth.drawing.footage.places import Surroundings, build_surroundings
from actparse.synth.drawing.footage.sensor import Sensor, draw_sensor
from actparse.synth.drawing.footage.shadows import shade_ground
from actparse.synth.drawing.footage.shots import Shots
from actparse.synth.drawing.footage.sight import TIMES
from actparse.synth.drawing.mesh import Floats, Mesh, joined, normalised, textured
from actparse.synth.drawing.occlusion import Overlay, draw_overlays
from actparse.synth.drawing.render import Light, cast_shadow, paint, paint_textured
from actparse.synth.drawing.texture import CLOTH_SIDE, grained, surface
from actparse.synth.drawing.triangles import TEXTURE_SIDE, Triangles, joined_triangles, paint_triangles, triangulated
from actparse.synth.motion.figure import Moment
from actparse.synth.people.body import Joints, shadow_bones, shadow_radii

Image = NDArray[np.uint8]
COMB_SECONDS = 0.02  # by which odd rows of interlaced video are earlier


@dataclass(frozen=True)
class Rendered:
    """A frame (H, W, 3) uint8 RGB with its ground truth, which is read from the id plane.

    `ids` (H, W) is `IDS_PER_PERSON` x person + part where a person is visible, both from 1 (parts in the order of
    PARTS, 11 for the rest of the trunk), a greater id below 255 where an annotated object is visible (see `ObjectIds`),
    255 where another surface is visible that is no person, and 0 elsewhere.
    """

    image: Image
    persons: tuple[PersonTruth, ...]
    objects: tuple[ObjectTruth, ...]
    ids: Image


@dataclass(frozen=True)
class Lens:
    """The effects of the camera's lens and sensor on the picture."""

    gain: float
    softness: float  # sigma of the blur, pixels
    noise: float  # sigma, grey levels
    shutter_seconds: float  # 0: no motion blur
    seed: int


@dataclass(frozen=True)
class Varied:
    """The additional parts of a scene of the look "varied"."""

    textures: Image  # (L, CLOTH_SIDE, CLOTH_SIDE, 3): `SCENE_LAYERS`, then the textures of each actor
    overlays: list[Overlay]
    effects: Effects


@dataclass(frozen=True)
class Footage:
    """The additional parts of a scene of the look "video"."""

    surroundings: Surroundings
    shots: Shots
    lens: FrameLens
    sensor: Sensor
    graphics: list[Graphic]
    overlays: list[Overlay]
    textures: Image  # (L, CLOTH_SIDE, CLOTH_SIDE, 3): `SCENE_LAYERS`, then the textures of each actor
    is_combed: bool  # whether odd rows show an earlier moment


class Scene:
    """All parts of one video; `render` depends only on time."""

    def __init__(
        self,
        config: SceneConfig,
        backdrop: Backdrop | None,
        actors: list[Actor],
        furniture_meshes: list[Mesh],
        camera: CameraPath | Shots,
        light: Light,
        lens: Lens,
        *,
        varied: Varied | None = None,
        footage: Footage | None = None,
    ) -> None:
        self.config, self.backdrop, self.actors = config, backdrop, actors
        self._furniture_meshes, self._camera, self.light, self.lens = furniture_meshes, camera, light, lens
        self._varied, self._footage = varied, footage
        extras = footage or varied
        self._textures = _mesh_textures(actors, extras.textures if extras else None) if config.body == "mesh" else None

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) of the frames, pixels."""
        return self._footage.lens.frame if self._footage else self.config.size

    def render(self, time_seconds: float, *, with_truth: bool = True) -> Rendered:
        """Render the frame at a time, in seconds, and with `with_truth` the ground truth of everyone visible in it."""
        camera = self._camera.at(time_seconds)
        sharp, ids, solved_actors, object_ids = self._draw(camera, time_seconds)
        if self.lens.shutter_seconds > 0:
            sharp = self._blur_motion(sharp, time_seconds)
        if self._footage:
            image, ids = self._film(self._footage, sharp, ids, time_seconds)
        else:
            for overlay in self._varied.overlays if self._varied else ():
                overlay.put(sharp, ids, time_seconds)
            image = self._expose(sharp, time_seconds)
        actors_with_truth = solved_actors if with_truth else []
        persons = [
            self._person_truth(ids, index, camera, *solved_actor, time_seconds)
            for index, solved_actor in enumerate(actors_with_truth, start=1)
        ]
        objects = object_ids.annotate(ids) if with_truth else ()
        return Rendered(image, tuple(p for p in persons if p is not None), objects, ids)

    def _film(self, footage: Footage, sharp: Image, ids: Image, time_seconds: float) -> tuple[Image, Image]:
        """Return the frame and its id plane: what lens, sensor, editor and codec make of a sharp picture."""
        if footage.is_combed:
            earlier = time_seconds - COMB_SECONDS
            sharp[1::2] = self._draw(self._camera.at(time_seconds), earlier)[0][1::2]
        image, ids = footage.lens.bend(sharp, ids, time_seconds)
        for overlay in footage.overlays:
            overlay.put(image, ids, time_seconds)
        image = footage.sensor.expose(image, time_seconds, footage.shots.seconds_in_shot(time_seconds))
        image, ids = footage.lens.put_in_frame(image, ids)
        for graphic in footage.graphics:
            graphic.put(image, ids, time_seconds)
        return footage.sensor.encode(image), ids

    def _blur_motion(self, sharp: Image, time_seconds: float) -> Image:
        """Return the picture of an open shutter: the mean of this moment and of a moment before and after it."""
        half = self.lens.shutter_seconds / 2
        times: tuple[float, ...] = (time_seconds - half, time_seconds + half)
        if self._footage:  # no shutter is open across a cut
            shots = self._footage.shots
            shot = shots.index_at(time_seconds)
            times = tuple(t if shots.index_at(t) == shot else time_seconds for t in times)
        earlier, later = (self._draw(self._camera.at(t), t)[0] for t in times)
        return ((earlier.astype(np.uint16) + sharp + sharp + later) // 4).astype(np.uint8)

    def _draw(self, camera: Camera, time_seconds: float) -> tuple[Image, Image, list[tuple[Joints, Moment]], ObjectIds]:
        """Return a sharp picture, its id plane, joints and moment of each actor, and the ids of the objects."""
        objects = ObjectIds(len(self.actors))
        solved_actors = [actor.at(time_seconds, index, camera, objects) for index, actor in enumerate(self.actors, 1)]
        ground = self._draw_ground(camera, time_seconds, [joints for _, joints, _ in solved_actors])
        factor, (height, width) = self.config.supersampling, ground.shape[:2]
        meshes = [*self._furniture_meshes, *(mesh for mesh, _, _ in solved_actors)]
        has_ids = not (self._footage or self._varied or self._textures is not None)  # a plane of the canvas, empty
        if has_ids:
            ground = np.concatenate((ground, np.zeros((height, width, 1), np.uint8)), axis=2)
        enlarged = cv2.resize(ground, (width * factor, height * factor), interpolation=cv2.INTER_NEAREST)
        canvas: Image = np.asarray(enlarged, np.uint8)
        planes = self._paint(canvas, meshes, camera.scaled(factor))
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        image = cv2.cvtColor(small, cv2.COLOR_RGBA2RGB) if has_ids else small
        ids = planes[factor // 2 :: factor, factor // 2 :: factor]
        return np.asarray(image, np.uint8), ids, [(joints, moment) for _, joints, moment in solved_actors], objects

    def _paint(self, canvas: Image, meshes: list[Mesh | Triangles], camera: Camera) -> Image:
        """Paint the meshes on the canvas and return the id plane (H, W)."""
        if self._textures is not None:
            surfaces = [triangulated(mesh) if isinstance(mesh, Mesh) else mesh for mesh in meshes]
            return paint_triangles(canvas, joined_triangles(surfaces), camera, self.light, self._textures)
        quads = joined([mesh for mesh in meshes if isinstance(mesh, Mesh)])
        if extras := self._footage or self._varied:
            return paint_textured(canvas, quads, camera, self.light, extras.textures)
        paint(canvas, quads, camera, self.light)
        return canvas[..., 3]

    def _draw_ground(self, camera: Camera, time_seconds: float, joints: list[Joints]) -> Image:
        """Draw the scenery with the shadows of the people."""
        bones, radii = self._shadow_lines(joints)
        if self._footage:
            surroundings = self._footage.surroundings
            ground = surroundings.scenery.draw(camera, self._footage.shots.anchor(time_seconds))
            shade_ground(ground, bones, radii, camera, self.light, strength=surroundings.shadow)
            return ground
        assert self.backdrop is not None
        ground = self.backdrop.draw(camera)
        cast_shadow(ground, bones, radii, camera, self.light, strength=0.5)
        return ground

    def _shadow_lines(self, joints: list[Joints]) -> tuple[Floats, Floats]:
        lines, radii = [], []
        for actor, actor_joints in zip(self.actors, joints, strict=True):
            bones, kinds = shadow_bones(actor_joints)
            lines.append(actor.to_world(bones))
            widths = shadow_radii(actor.sizes.scale)
            radii += [widths[kind] for kind in kinds]
        return np.concatenate(lines), np.array(radii)

    def _person_truth(
        self, ids: Image, person: int, camera: Camera, joints: Joints, moment: Moment, time_seconds: float
    ) -> PersonTruth | None:
        actor = self.actors[person - 1]
        points = actor.keypoints(joints)
        pixels, depths = camera.project(points)
        if depths.min() < 0.3:
            return None
        if self._footage:
            pixels = self._footage.lens.to_frame(pixels, time_seconds)
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
        ConfigError: the action is not one of `actions.registry.ACTIONS` or `OTHER_MOTIONS`.
    """
    config = config or SceneConfig()
    rng, extra = np.random.default_rng(seed), extra_rng(seed, config)
    name, cast = draw_place_and_cast(rng, action, config, extra)
    actors, camera = cast.actors, cast.camera
    if isinstance(camera, Shots):
        assert extra is not None
        assert cast.lens is not None
        return _build_video_scene(extra, name, cast, cast.lens, camera, config)
    place = PLACES[name]
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


def _build_video_scene(
    rng: np.random.Generator, place: str, cast: Cast, frame_lens: FrameLens, shots: Shots, config: SceneConfig
) -> Scene:
    surroundings = build_surroundings(rng, place, frame_lens.size, shots.eyes)
    sight = cast.sight(config.min_in_sight)

    def build(rng: np.random.Generator, kind: str, position: Floats) -> list[Mesh]:
        things = clutter(rng, kind, position)
        return things if sight.try_add_meshes(things) else []

    meshes = _draw_furniture(rng, surroundings.furniture, cast.actors, shots.start, config, build=build)
    furniture_meshes = [
        textured(mesh, int(layer))
        for mesh, layer in zip(meshes, rng.integers(SCENE_LAYERS, size=len(meshes)), strict=True)
    ]
    layers = _with_layers_of(cast.actors, _scene_layers(surface_textures(rng, SCENE_LAYERS), config))
    people = cast.keypoints(float(rng.uniform(0, 11)))[0].reshape(-1, 2) - frame_lens.corner
    overlays = draw_overlays(rng, frame_lens.size, people, occluder_share=config.covered_share, is_video=True)
    shifts = [np.stack([overlay.shift_at(time) for time in TIMES]) for overlay in overlays]
    graphics = draw_graphics(rng, frame_lens.frame, share=config.graphics_share)
    footage = Footage(
        surroundings=surroundings,
        shots=shots,
        lens=frame_lens,
        sensor=draw_sensor(rng, frame_lens.size, strength=config.poor_share),
        graphics=[
            graphic for graphic in graphics if sight.try_add_layer(graphic.opacity >= HIDES_FROM, graphic.corner)
        ],
        overlays=[
            overlay
            for overlay, shift in zip(overlays, shifts, strict=True)
            if sight.try_add_layer(overlay.opaque, frame_lens.corner, shift)
        ],
        textures=np.stack(layers),
        is_combed=bool(rng.random() < config.combing_share),
    )
    lens = _draw_lens(rng, config)
    return Scene(config, None, cast.actors, furniture_meshes, shots, surroundings.light, lens, footage=footage)


def _draw_varied(rng: np.random.Generator, cast: Cast, config: SceneConfig) -> Varied:
    """Draw textures, overlays and effects of a scene; shift the actors' texture indices to match."""
    layers = [grained(rng, np.full(3, 255.0), rng.uniform(0.05, 0.3)) for _ in range(SCENE_LAYERS // 2)]
    for _ in range(SCENE_LAYERS - len(layers)):
        pattern = surface(rng, (CLOTH_SIDE, CLOTH_SIDE)).astype(np.float32)
        layers.append(np.clip(pattern * (200 / max(float(pattern.mean()), 20)), 0, 255).astype(np.uint8))
    layers = _with_layers_of(cast.actors, _scene_layers(layers, config))
    points, _ = cast.keypoints(float(rng.uniform(0, 11)))
    people = points.reshape(-1, 2)
    overlays = draw_overlays(rng, config.size, people, occluder_share=config.covered_share)
    return Varied(np.stack(layers), overlays, draw_effects(rng, config.size))


def _mesh_textures(actors: list[Actor], textures: Image | None) -> Image:
    """Return the textures (L, TEXTURE_SIDE, TEXTURE_SIDE, 3) of a scene with shaped bodies, which may have its own."""
    if textures is not None:
        return textures
    layers = [np.full((TEXTURE_SIDE, TEXTURE_SIDE, 3), 255, np.uint8)]  # of furniture and props
    return np.stack(_with_layers_of(actors, layers))


def _with_layers_of(actors: list[Actor], layers: list[Image]) -> list[Image]:
    """Append the textures of the actors to those of the scene, and shift their indices to match."""
    for actor in actors:
        actor.skin.shift_layers(len(layers))
        layers += actor.skin.textures
    return layers


def _scene_layers(layers: list[Image], config: SceneConfig) -> list[Image]:
    """Return textures of the scene's things in the size that goes with the people's."""
    repeats = TEXTURE_SIDE // CLOTH_SIDE if config.body == "mesh" else 1
    return [np.tile(layer, (repeats, repeats, 1)) for layer in layers]


def _draw_light(rng: np.random.Generator, *, sky: bool) -> Light:
    direction = normalised(np.array([rng.normal(), rng.uniform(0.7, 1.8), rng.uniform(-0.3, 1.3)]))
    diffuse = rng.uniform(0.4, 0.75) if sky else rng.uniform(0.25, 0.6)
    return Light(direction, diffuse, rng.uniform(0.45, 0.62), rng.uniform(0.92, 1.08, 3))


def _draw_furniture(
    rng: np.random.Generator,
    kinds: tuple[str, ...],
    actors: list[Actor],
    camera: Camera,
    config: SceneConfig,
    *,
    build: Callable[[np.random.Generator, str, Floats], list[Mesh]] = furniture,
) -> list[Mesh]:
    meshes: list[Mesh] = []
    for _ in range(int(rng.integers(0, 4))):
        position = np.array([rng.uniform(-4.5, 4.5), 0.0, rng.uniform(-5.5, -1.4)])
        if min(float(np.hypot(*(position - actor.place)[[0, 2]])) for actor in actors) > 1.2:
            meshes += build(rng, str(rng.choice(kinds)), position)
    if rng.random() < config.occluder_share:
        ahead = rng.uniform(1.0, max(1.2, camera.eye[2] - 1.4))
        position = np.array([camera.target[0] + rng.normal(0, 0.9), 0.0, ahead])
        meshes += build(rng, str(rng.choice(["post", "bench", "plant", "fence", "box"])), position)
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
