"""Decoded frames as players show them: whole, upright, in ordinary colours, as RGB or YUV."""
