"""Annotation files, read field by field; the faults of a field are recorded or raised."""
