"""What is done with videos and their parses: one, a folder, a camera, a demo."""
