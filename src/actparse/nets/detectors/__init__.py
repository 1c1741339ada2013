"""Detectors of persons and body parts: YOLOF and NanoDet."""
