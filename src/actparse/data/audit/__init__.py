"""A dataset on disk against its lists, annotations and videos: index, check and statistics."""
