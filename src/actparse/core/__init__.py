"""What every room may use: words, result types, errors, files, processes, progress."""
