"""Export of a parse to the formats of other programs: tables, annotation files, viewers.

from actparse.export import export_parse, frames_table, joint_angles, state_intervals, to_supervision
"""

from actparse.export.angles import ANGLES, joint_angles, person_angles
from actparse.export.coco import coco_dataset, coco_keypoint_results, coco_results
from actparse.export.formats import FORMATS, ExportConfig, export_parse
from actparse.export.openpose import openpose_frame
from actparse.export.segments import StateInterval, state_intervals
from actparse.export.supervision import SupervisionFrame, to_supervision
from actparse.export.tables import frames_table, parts_table, segments_table

__all__ = [
    "ANGLES",
    "FORMATS",
    "ExportConfig",
    "StateInterval",
    "SupervisionFrame",
    "coco_dataset",
    "coco_keypoint_results",
    "coco_results",
    "export_parse",
    "frames_table",
    "joint_angles",
    "openpose_frame",
    "parts_table",
    "person_angles",
    "segments_table",
    "state_intervals",
    "to_supervision",
]
