"""The look "video": places, cameras, lenses, sensors and graphics, so that frames look like those of a video."""
