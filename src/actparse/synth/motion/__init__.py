"""How motions are written down: key poses, phases, reaching, style, props."""
