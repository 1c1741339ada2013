"""Complete operations on videos and their parses: one video, a folder, a camera, a demo."""
