"""The description of motions: key poses, phases, reach, personal style and props."""
