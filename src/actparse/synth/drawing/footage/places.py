"""The places of the look "video": their ground, walls and surroundings, and how light falls in them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from actparse.synth.drawing.footage.materials import (
    METRES,
    VARIANTS,
    Floats,
    Image,
    Singles,
    material,
    to_image,
)
from actparse.synth.drawing.footage.pictures import PIXELS_PER_METRE, WALL_THINGS, cutout, panorama
from actparse.synth.drawing.footage.scenery import Panel, Scenery, Size
from actparse.synth.drawing.mesh import normalised
from actparse.synth.drawing.render import Light
from actparse.synth.drawing.texture import any_color, clouds

Cutout = tuple[str, float, float]  # kind, width and height in metres
UP = np.array([0.0, 1.0, 0.0])
GROUND_METRES = 140.0  # side of the ground outdoors


@dataclass(frozen=True)
class Setting:
    """A kind of place; materials as in `MATERIALS`, the other names as in the tables of `pictures`."""

    grounds: tuple[str, ...]
    walls: tuple[str, ...] = ()  # of a room, or of houses behind the people; none: open country
    indoor: bool = False
    things: tuple[str, ...] = ()  # on the walls
    marks: tuple[str, ...] = ()  # on the ground
    cutouts: tuple[Cutout, ...] = ()  # that stand behind the people
    rows: tuple[Cutout, ...] = ()  # that stand side by side across the whole background
    skies: tuple[str, ...] = ("blue", "clouds", "grey", "white", "evening")
    silhouettes: tuple[tuple[str, ...], ...] = ((),)  # on the horizon; one of them is drawn
    distance: tuple[float, float] = (2.5, 6.0)  # metres from the people to the wall behind them
    height: tuple[float, float] = (2.7, 4.0)  # metres
    moods: tuple[str, ...] = ("day", "overcast")
    furniture: tuple[str, ...] = ("box", "bench", "post")
    fog_metres: float = 150.0


@dataclass(frozen=True)
class Mood:
    """The light of a place: levels (lowest, highest) of the direct and of the even light, its colour, its pools."""

    diffuse: tuple[float, float]
    ambient: tuple[float, float]
    tint: tuple[float, float, float]
    elevation: tuple[float, float]  # of the lamp or the sun, tangent
    shadow: float  # strength of the shadow that it casts
    pools: float  # strength of uneven light on ground and walls


MOODS: dict[str, Mood] = {
    "day": Mood((0.5, 0.75), (0.45, 0.55), (1.04, 1.0, 0.95), (0.6, 2.0), 0.5, 0.06),
    "overcast": Mood((0.12, 0.25), (0.75, 0.85), (0.98, 1.0, 1.03), (2.0, 4.0), 0.18, 0.06),
    "low_sun": Mood((0.6, 0.85), (0.36, 0.46), (1.12, 0.98, 0.82), (0.3, 0.6), 0.45, 0.08),
    "lamps": Mood((0.25, 0.45), (0.55, 0.68), (1.03, 1.0, 0.94), (1.8, 4.0), 0.3, 0.3),
    "windows": Mood((0.4, 0.65), (0.42, 0.55), (1.0, 1.0, 1.0), (0.4, 0.9), 0.3, 0.4),
    "neon": Mood((0.2, 0.35), (0.6, 0.72), (0.95, 1.02, 1.0), (2.5, 4.0), 0.25, 0.2),
    "spot": Mood((0.6, 0.9), (0.2, 0.34), (1.05, 1.0, 0.92), (1.0, 2.5), 0.5, 0.8),
    "colored": Mood((0.5, 0.8), (0.25, 0.4), (1.0, 1.0, 1.0), (0.8, 2.0), 0.4, 0.7),
}
INDOOR_MOODS = ("lamps", "lamps", "windows", "neon")
SETTINGS: dict[str, Setting] = {
    "gym": Setting(
        ("rubber", "rubber", "rubber", "planks", "carpet", "concrete"), ("plaster", "plaster", "brick", "concrete"),
        indoor=True, things=("weights", "weights", "mirror", "mirror", "window", "poster", "sign", "stripe", "pipes"),
        marks=("platform", "mat", ""), moods=(*INDOOR_MOODS, "spot"),
        furniture=("rack", "dumbbells", "bench", "ball", "bag", "post", "box", "plates"),
    ),
    "room": Setting(
        ("planks", "planks", "carpet", "tiles"), ("plaster", "plaster", "plaster", "boards"), indoor=True,
        things=("window", "shelf", "door", "poster", "poster", "window", "stripe"), marks=("rug", "mat", ""),
        cutouts=(("sofa", 2.1, 0.85), ("sofa", 1.0, 0.9)), distance=(1.8, 4.0), height=(2.4, 3.0),
        moods=INDOOR_MOODS, furniture=("cabinet", "lamp", "plant", "box", "chair"),
    ),
    "hall": Setting(
        ("planks", "tiles", "planks"), ("boards", "brick", "plaster", "sheet_metal"), indoor=True,
        things=("bars", "bars", "window", "window", "door", "stripe", "sign"), marks=("court", "court", "mat", ""),
        cutouts=(("banner", 5.0, 0.9),), distance=(4.0, 10.0), height=(5.0, 8.0), moods=("lamps", "neon", "windows"),
        furniture=("bench", "box", "post", "ball"),
    ),
    "stage": Setting(
        ("planks", "rubber", "planks"), ("curtain", "curtain", "boards"), indoor=True, things=("sign", ""),
        marks=("", "rug"), distance=(2.5, 5.0), height=(4.0, 6.0),
        moods=("spot", "spot", "colored", "lamps"), furniture=("speaker", "post", "lamp", "box"), fog_metres=60.0,
    ),
    "concert": Setting(
        ("rubber", "concrete"), ("curtain",), indoor=True, rows=(("stand", 6.0, 1.7),),
        distance=(5.0, 9.0), height=(6.0, 9.0), moods=("colored", "spot"),
        furniture=("speaker", "post", "fence"), fog_metres=28.0,
    ),
    "arena": Setting(
        ("planks", "rubber", "dirt", "sand"), ("concrete",), indoor=True, marks=("court", ""),
        rows=(("stand", 8.0, 3.2), ("banner", 6.0, 0.9)), distance=(6.0, 12.0), height=(7.0, 10.0),
        moods=("spot", "lamps", "neon"), furniture=("box", "fence", "post"), fog_metres=80.0,
    ),
    "street": Setting(
        ("paving", "paving", "asphalt", "asphalt", "concrete"), ("brick", "plaster", "concrete", "brick"),
        things=("facade",), marks=("line", ""), cutouts=(("car", 4.2, 1.45), ("car", 4.4, 1.6), ("tree", 3.0, 4.6)),
        distance=(4.0, 9.0), height=(7.0, 12.0), silhouettes=(("skyline",),), moods=("day", "overcast", "low_sun"),
        furniture=("post", "box", "bench", "plant", "fence", "cone", "hose"),
    ),
    "park": Setting(
        ("grass", "grass", "dirt", "paving"), cutouts=(("tree", 3.4, 5.0), ("tree", 4.6, 6.0), ("hedge", 5.0, 1.3)),
        rows=(("hedge", 9.0, 3.6),), silhouettes=(("woods",), ("hills", "woods"), ("skyline", "woods")),
        distance=(9.0, 18.0), moods=("day", "day", "overcast", "low_sun"),
        furniture=("branch", "bench", "post", "plant", "fence", "tree"),
    ),
    "field": Setting(
        ("turf", "grass", "turf", "dirt"), cutouts=(("fence", 8.0, 1.6), ("banner", 7.0, 0.9)),
        rows=(("fence", 9.0, 2.4),), marks=("pitch", "pitch", ""),
        silhouettes=(("woods",), ("skyline", "woods"), ("hills", "woods")), distance=(9.0, 20.0),
        moods=("day", "day", "overcast", "low_sun"), furniture=("post", "fence", "bench", "cone", "ball"),
    ),
    "court": Setting(
        ("asphalt", "concrete", "tiles"), things=("facade",), marks=("court", "court", "pitch"),
        rows=(("fence", 8.0, 3.0),), cutouts=(("tree", 4.0, 5.6), ("hedge", 7.0, 2.0)),
        silhouettes=(("skyline", "woods"), ("woods",)), distance=(6.0, 12.0), moods=("day", "overcast", "low_sun"),
        furniture=("post", "bench", "fence", "cone"),
    ),
    "beach": Setting(
        ("sand",), silhouettes=(("sea",), ("hills", "sea")), skies=("blue", "clouds", "evening", "white"),
        rows=(("surf", 60.0, 0.0),), distance=(7.0, 16.0), moods=("day", "day", "low_sun", "overcast"),
        furniture=("post", "cone", "box", "branch"),
    ),
    "sea": Setting(
        ("water",), silhouettes=(("sea",), ("hills", "sea")), skies=("blue", "clouds", "evening", "grey"),
        distance=(9.0, 20.0), moods=("day", "low_sun", "overcast"), furniture=("cone", "post"),
    ),
    "snow": Setting(
        ("snow",), silhouettes=(("mountains",), ("hills", "woods"), ("mountains",)),
        skies=("blue", "white", "grey", "clouds"), cutouts=(("tree", 3.0, 5.0), ("fence", 9.0, 1.1)),
        distance=(10.0, 22.0), moods=("day", "overcast", "low_sun"), furniture=("post", "fence", "cone", "tree"),
        fog_metres=70.0,
    ),
}  # fmt: skip
# the place of an action -> the settings that are drawn for it, as often as they are named
RELATED: dict[str, tuple[str, ...]] = {
    "gym": ("gym", "gym", "gym", "gym", "hall", "stage"), "room": ("room", "room", "room", "hall"),
    "stage": ("stage", "stage", "concert", "hall", "arena"), "street": ("street", "street", "street", "court"),
    "field": ("field", "field", "court", "arena"), "park": ("park", "park", "park", "beach", "field", "snow"),
}  # fmt: skip
FLOOR_MARKS: dict[str, tuple[float, float, tuple[str, ...]]] = {  # width, depth, materials; an empty one: lines only
    "platform": (3.0, 2.6, ("planks", "boards")), "mat": (2.0, 1.8, ("rubber", "carpet")),
    "rug": (3.0, 2.2, ("carpet",)), "court": (14.0, 12.0, ()), "pitch": (40.0, 30.0, ()), "line": (30.0, 3.0, ()),
}  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """What is around the people: surfaces, light, the strength of shadows and the kinds of furniture."""

    name: str
    scenery: Scenery
    light: Light
    shadow: float
    furniture: tuple[str, ...]


def build_surroundings(rng: np.random.Generator, place: str, size: Size, eyes: Floats) -> Surroundings:
    """Build a place for an action.

    Args:
        rng: random generator.
        place: the place that the action asks for, of `RELATED` or of `SETTINGS`.
        size: (height, width) of the frames, pixels.
        eyes: (N, 3) where the cameras are; a room contains them all.
    """
    names = RELATED.get(place, (place,))
    name = names[rng.integers(len(names))]
    setting = SETTINGS[name]
    mood = MOODS[setting.moods[rng.integers(len(setting.moods))]]
    light = _light(rng, mood)
    level = (light.ambient + 0.7 * light.diffuse) * light.tint
    distance = max(rng.uniform(*setting.distance), 1.5 - float(eyes[:, 2].min()))
    half_width = max(rng.uniform(3.5, 8.0), float(np.abs(eyes[:, 0]).max()) + 1.0)
    depth = float(eyes[:, 2].max()) + 2 + distance
    ground = setting.grounds[rng.integers(len(setting.grounds))]
    texture = _lit(
        material(ground, int(rng.integers(VARIANTS))), level * rng.uniform(0.85, 1.1) * rng.uniform(0.97, 1.03, 3)
    )
    mean = texture.reshape(-1, 3).mean(axis=0)
    panels: list[Panel] = []
    if setting.indoor:
        far = np.zeros((8, 16, 3), np.uint8)
        height = max(rng.uniform(*setting.height), float(eyes[:, 1].max()) + 0.4)
        box = np.array([2 * half_width, height, depth])
        panels += _room(rng, setting, mood, texture, box, distance, level)
    else:
        sky = setting.skies[rng.integers(len(setting.skies))]
        silhouettes = setting.silhouettes[rng.integers(len(setting.silhouettes))]
        far = panorama(rng, sky, silhouettes, mean)
        side, times = GROUND_METRES, GROUND_METRES / METRES
        pools = _pools(rng, mood.pools, (70, 70))
        corner = np.array([-side / 2, 0, -side / 2])
        panels.append(Panel(texture, corner, side * _x(), side * _z(), (times, times), pools))
    panels += _floor_marks(rng, setting, level)
    if setting.walls and not setting.indoor:
        wall = _wall(rng, setting, (4 * half_width + 10, rng.uniform(*setting.height)), level)
        panels.append(_upright(wall, -2 * half_width - 5, 4 * half_width + 10, -distance, None))
    panels += _standing(rng, setting, distance, half_width, level, mean)
    fog = far[: far.shape[0] // 2].reshape(-1, 3).mean(axis=0) if not setting.indoor else mean * 0.8
    scenery = Scenery(far, panels, size, fog=fog, fog_metres=setting.fog_metres)
    return Surroundings(name, scenery, light, mood.shadow, setting.furniture)


def _x() -> Floats:
    return np.array([1.0, 0, 0])


def _z() -> Floats:
    return np.array([0, 0, 1.0])


def _light(rng: np.random.Generator, mood: Mood) -> Light:
    direction = normalised(np.array([rng.normal(), rng.uniform(*mood.elevation), rng.uniform(-0.3, 1.0)]))
    tint = np.array(mood.tint) * rng.uniform(0.97, 1.03, 3)
    if mood is MOODS["colored"]:
        tint = 0.6 + 0.6 * any_color(rng) / 255
    return Light(direction, rng.uniform(*mood.diffuse), rng.uniform(*mood.ambient), tint)


def _lit(texture: Image, level: Floats) -> Image:
    table = to_image(np.arange(256.0)[:, None, None] * np.broadcast_to(level, 3))  # (256, 1, 3)
    return np.asarray(cv2.LUT(np.ascontiguousarray(texture), table.reshape(1, 256, 3)), np.uint8)


def _pools(rng: np.random.Generator, strength: float, size: Size) -> Singles:
    """Draw uneven light (H, W), factors about 1: pools of lamps, shades of clouds and trees."""
    field = clouds(rng, size, octaves=2, start=2, fall=3.0)
    return np.asarray(np.clip(1 + strength * field, 0.3, 1.6), np.float32)


def _room(
    rng: np.random.Generator, setting: Setting, mood: Mood, ground: Image, box: Floats, distance: float, level: Floats
) -> list[Panel]:
    """Return the six sides of a room but the one behind the camera; `box` is its width, height and depth."""
    width, height, depth = box
    left, back = -width / 2, -distance
    lamps = _pools(rng, mood.pools, (24, 24))
    lamps[:2] *= 0.82  # it is darker along the walls
    lamps[:, :1] *= 0.85
    lamps[:, -1:] *= 0.85
    corner = np.array([left, 0, back])
    floor = Panel(ground, corner, width * _x(), depth * _z(), (width / METRES, depth / METRES), lamps)
    name, variant = setting.walls[rng.integers(len(setting.walls))], int(rng.integers(VARIANTS))
    tint = (
        np.clip(any_color(rng) / 200, 0.3, 1.1)
        if rng.random() < 0.4
        else rng.uniform(0.75, 1.1) * rng.uniform(0.94, 1.06, 3)
    )
    plaster_only = tint if name == "plaster" else np.full(3, rng.uniform(0.75, 1.1))
    walls = [
        _wall(rng, setting, (length, height), level * plaster_only, (name, variant)) for length in (width, depth, depth)
    ]
    shades = [_wall_light(rng, mood, size=(16, 32)) for _ in walls]
    ceiling = material(str(rng.choice(["plaster", "plaster", "sheet_metal", "tiles"])), variant)
    top = Panel(_lit(ceiling, level * rng.uniform(0.3, 1.0)), corner + height * UP, width * _x(), depth * _z(),
                (width / METRES, depth / METRES), _pools(rng, mood.pools + 0.15, (24, 24)))  # fmt: skip
    down = -height * UP
    return [
        floor,
        top,
        Panel(walls[0], corner + height * UP, width * _x(), down, light=shades[0]),
        Panel(walls[1], np.array([left, height, back + depth]), -depth * _z(), down, light=shades[1]),
        Panel(walls[2], np.array([-left, height, back]), depth * _z(), down, light=shades[2]),
    ]


def _wall_light(rng: np.random.Generator, mood: Mood, size: Size) -> Singles:
    """Draw the light on a wall (H, W): pools, darker corners and foot."""
    light = _pools(rng, mood.pools, size)
    light *= np.linspace(rng.uniform(0.75, 1.1), rng.uniform(0.7, 1.0), size[0], dtype=np.float32)[:, None]
    light[:, :1] *= 0.75
    light[:, -1:] *= 0.75
    return light


def _wall(
    rng: np.random.Generator,
    setting: Setting,
    metres: tuple[float, float],
    level: Floats,
    surface: tuple[str, int] | None = None,
) -> Image:
    """Draw a wall with what hangs on it (H, W, 3); `metres` is its (width, height)."""
    name, variant = surface or (setting.walls[rng.integers(len(setting.walls))], int(rng.integers(VARIANTS)))
    side = round(METRES * PIXELS_PER_METRE)
    texture = np.asarray(cv2.resize(material(name, variant), (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    width, height = (round(length * PIXELS_PER_METRE) for length in metres)
    wall = np.ascontiguousarray(np.tile(texture, (-(-height // side), -(-width // side), 1))[:height, :width])
    lower = wall[max(0, height - round(3.2 * PIXELS_PER_METRE)) :]  # things hang at the height of people
    if "facade" in setting.things:
        WALL_THINGS["facade"](rng, wall, 0, width)
    elif setting.things:
        if "stripe" in setting.things and rng.random() < 0.4:
            WALL_THINGS["stripe"](rng, lower, 0, width)
        _hang(rng, [thing for thing in setting.things if thing != "stripe"], lower)
        lower[-8:] = lower[-8:] // 2  # skirting board
    return _lit(wall, level)


def _hang(rng: np.random.Generator, things: list[str], wall: Image) -> None:
    """Hang things side by side on a wall, at least half of them of one kind."""
    width = wall.shape[1]
    usual = things[rng.integers(len(things))]
    x = int(rng.integers(0, 120))
    while x < width - 40:
        thing = usual if rng.random() < 0.5 else things[rng.integers(len(things))]
        space = min(int(rng.integers(70, 260)), width - x - 4)
        if thing:
            WALL_THINGS[thing](rng, wall, x, space)
        x += space + int(rng.choice([12, 60, 160]))


def _floor_marks(rng: np.random.Generator, setting: Setting, level: Floats) -> list[Panel]:
    """Return a mat, a platform, a rug or lines on the ground."""
    mark = setting.marks[rng.integers(len(setting.marks))] if setting.marks else ""
    if not mark:
        return []
    width, depth, names = FLOOR_MARKS[mark]
    corner = np.array([-width / 2 + rng.normal(0, 0.25), 0.004, -depth / 2 + rng.normal(0, 0.25)])
    if names:
        texture = material(names[rng.integers(len(names))], int(rng.integers(VARIANTS)))
        tint = rng.uniform(0.7, 1.1) if rng.random() < 0.5 else np.clip(any_color(rng) / 130, 0.3, 1.5)
        panel_texture, repeats = _lit(texture, level * tint), (width / METRES, depth / METRES)
        return [Panel(panel_texture, corner, width * _x(), depth * _z(), repeats)]
    lines = _lines(rng, mark, (round(depth * 32), round(width * 32)))
    lines[..., :3] = _lit(lines[..., :3], level)
    shift = np.array([rng.uniform(-4, 4), 0, rng.uniform(-3, 3)])
    return [Panel(lines, corner + shift, width * _x(), depth * _z())]


def _lines(rng: np.random.Generator, mark: str, size: Size) -> Image:
    """Draw painted lines (H, W, 4), 32 pixels to the metre."""
    height, width = size
    image, ink = np.zeros((*size, 4), np.uint8), [255, 255, 255, 255]
    if rng.random() < 0.3:
        ink = [*any_color(rng).tolist(), 255]
    if mark == "line":
        for x in range(0, width, 120):
            image[height // 2 - 2 : height // 2 + 2, x : x + 70] = ink
        return image
    if rng.random() < 0.4:
        image[:] = [*(any_color(rng) * 0.8).tolist(), 190 if mark == "court" else 0]
    cv2.rectangle(image, (4, 4), (width - 5, height - 5), ink, 3)
    cv2.line(image, (width // 2, 4), (width // 2, height - 5), ink, 3)
    cv2.circle(image, (width // 2, height // 2), min(size) // 7, ink, 3, cv2.LINE_AA)
    for x in (4, width - 5):
        cv2.circle(image, (x, height // 2), min(size) // 3, ink, 3, cv2.LINE_AA)
    return image


def _upright(texture: Image, left: float, width: float, z: float, height: float | None) -> Panel:
    """Return a picture that stands on the ground at the depth `z`, parallel to the picture at first."""
    tall = texture.shape[0] / PIXELS_PER_METRE if height is None else height
    return Panel(texture, np.array([left, tall, z]), width * _x(), -tall * UP)


def _standing(
    rng: np.random.Generator, setting: Setting, distance: float, half_width: float, level: Floats, ground: Floats
) -> list[Panel]:
    """Return what stands behind the people, the farthest first."""
    panels, reach = [], 2 * half_width + 10
    for index, (kind, width, height) in enumerate(setting.rows):
        z = -distance + 0.2 + 0.4 * index
        if kind == "surf":
            panels.append(_surf(rng, distance))
            continue
        pictures = [_shown(rng, kind, (width, height * rng.uniform(0.8, 1.2)), level) for _ in range(2)]
        x = -reach
        while x < reach:
            panels.append(_upright(pictures[int(rng.integers(2))], x, width, z, None))
            x += width
    chosen = sorted(-rng.uniform(0.35, 0.95) * distance - 0.6 for _ in range(int(rng.integers(0, 5))))
    for z in chosen if setting.cutouts else ():
        kind, width, height = setting.cutouts[rng.integers(len(setting.cutouts))]
        scale = rng.uniform(0.85, 1.25)
        picture = _shown(rng, kind, (width * scale, height * scale), level)
        x = rng.uniform(-0.6, 0.6) * reach - width / 2
        shadow = Panel(_contact_shadow(), np.array([x - 0.1, 0.006, z - 0.35]), (width * scale + 0.2) * _x(),
                       0.8 * _z())  # fmt: skip
        panels += [shadow, _upright(picture, x, width * scale, z, None)]
    return panels


def _shown(rng: np.random.Generator, kind: str, metres: tuple[float, float], level: Floats) -> Image:
    picture = cutout(kind, rng, metres)
    return np.dstack((_lit(picture[..., :3], level), picture[..., 3]))


def _contact_shadow() -> Image:
    """Return the dark patch under what stands on the ground (H, W, 4)."""
    y, x = np.linspace(-1, 1, 24)[:, None], np.linspace(-1, 1, 48)
    opacity = np.clip(1.25 - np.maximum(np.abs(y), np.abs(x) ** 4) * 1.25, 0, 0.6) * 255
    return np.dstack((np.full((24, 48, 3), 18, np.uint8), opacity.astype(np.uint8)))


def _surf(rng: np.random.Generator, distance: float) -> Panel:
    """Return the water of a beach with foam at its edge."""
    water = material("water", int(rng.integers(VARIANTS)))
    image = np.tile(water, (1, 4, 1))
    edge = clouds(rng, (4, image.shape[1]), octaves=6, start=1)[0] * 12 + 500
    depth = np.arange(image.shape[0])[:, None] - edge
    foam = np.exp(-np.abs(depth + 4) / 5) + np.exp(-np.abs(depth + 90) / 4) * 0.7
    colors = to_image(image + (245 - image.astype(np.float32)) * np.clip(foam, 0, 1)[..., None])
    opacity = np.clip(-depth * 0.5 + 1, 0, 1) * 255
    picture = np.dstack((colors, opacity.astype(np.uint8)))
    return Panel(picture, np.array([-70.0, 0.003, -distance - 60]), 140 * _x(), 60 * _z())
