"""Entry point of `python -m actparse`."""

import sys

from actparse.cli import main

if __name__ == "__main__":
    sys.exit(main())
