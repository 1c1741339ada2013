"""Makes the videos and the CVAT labels that own.yaml names, of drawn people: python make_example.py [FOLDER].

What you would do instead: film, label in CVAT, export as "CVAT for video 1.1".
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from actparse.synth.annotate import PersonTruth
from actparse.synth.config import SceneConfig
from actparse.synth.scene import build_scene
from actparse.video.encode import VideoWriter

VIDEOS = {  # name -> the action as SynthTPS calls it, as this dataset calls it, and a seed
    "squat_a": ("lunge", "split_squat", 1),
    "squat_b": ("lunge", "split_squat", 2),
    "squat_c": ("lunge", "split_squat", 3),
    "press_a": ("push_up", "floor_press", 4),
    "press_b": ("push_up", "floor_press", 5),
    "press_c": ("push_up", "floor_press", 6),
}
ARM = {"bend": "bent", "lift": "raised", "unbend": "straight"}  # this dataset's words for SynthTPS's states
LEG = {"bend": "bent", "stand": "straight", "unbend": "straight"}
STATES = {"left_arm": ARM, "right_arm": ARM, "left_leg": LEG, "right_leg": LEG, "head": {}}  # the head: a box alone
NUM_FRAMES, FPS = 21, 10.0
KEYFRAMES = 5  # frames from one to the next; CVAT fills what lies between
Moments = Sequence[tuple[int, PersonTruth | None]]  # a person at keyframes, None where they are not there


def main(folder: Path) -> None:
    """Write FOLDER/own.yaml, videos/*.mp4 and labels/*.xml."""
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    own = Path(__file__).with_name("own.yaml")
    if own.parent != folder.resolve():
        shutil.copyfile(own, folder / "own.yaml")
    for name, (synthetic, action, seed) in VIDEOS.items():
        make_video(folder, name, synthetic, action, seed)


def make_video(folder: Path, name: str, synthetic: str, action: str, seed: int) -> None:
    """Write one video and its labels."""
    config = SceneConfig(bystander_share=0, occluder_share=0, low_light_share=0, blur_share=0)
    scene = build_scene(seed, synthetic, config=config)
    moments: list[tuple[int, tuple[PersonTruth, ...]]] = []
    (folder / "videos").mkdir(exist_ok=True)
    with VideoWriter(folder / "videos" / f"{name}.mp4", size=config.size) as writer:
        for frame in range(NUM_FRAMES):
            rendered = scene.render(frame / FPS)
            writer.write(rendered.image, frame / FPS)
            if frame % KEYFRAMES == 0:
                moments.append((frame, rendered.persons))
    people = sorted({person.identity for _, persons in moments for person in persons})
    tracks = []
    for identity in people:
        seen = [(frame, next((p for p in persons if p.identity == identity), None)) for frame, persons in moments]
        tracks += person_tracks(identity, action, seen)
    numbered = [track.replace("<track ", f'<track id="{number}" ', 1) for number, track in enumerate(tracks)]
    meta = f"<meta><task><name>{name}</name><mode>interpolation</mode></task><source>{name}.mp4</source></meta>"
    text = "\n".join(['<?xml version="1.0" encoding="utf-8"?>', "<annotations><version>1.1</version>", meta, *numbered])
    (folder / "labels" / f"{name}.xml").write_text(f"{text}\n</annotations>\n", encoding="utf-8")


def person_tracks(identity: int, action: str, seen: Moments) -> list[str]:
    """Return the track of a person, and those of their labelled parts."""
    whole = [(frame, person and person.box, {"person": str(identity), "action": action}) for frame, person in seen]
    tracks = [track("person", whole)]
    for part, words in STATES.items():
        boxes = []
        for frame, person in seen:
            state = words.get(person.states[part], "__undefined__") if person else "__undefined__"
            boxes.append((frame, person and person.parts.get(part), {"person": str(identity), "state": state}))
        tracks.append(track(part, boxes))
    return [text for text in tracks if "<box" in text]


def track(label: str, boxes: Sequence[tuple[int, Sequence[float] | None, dict[str, str]]]) -> str:
    """Return a track of boxes at keyframes; frames without a box are outside."""
    shapes: list[str] = []
    last: Sequence[float] | None = None
    for frame, box, attributes in boxes:
        if box is None and last is None:
            continue
        xtl, ytl, xbr, ybr = box if box is not None else last or ()
        place = f'xtl="{xtl:.2f}" ytl="{ytl:.2f}" xbr="{xbr:.2f}" ybr="{ybr:.2f}"'
        said = "".join(f"<attribute name={quoteattr(key)}>{value}</attribute>" for key, value in attributes.items())
        outside = int(box is None)
        shapes.append(f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {place}>{said}</box>')
        last = box
    return f"<track label={quoteattr(label)}>\n" + "\n".join(shapes) + "\n</track>"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
