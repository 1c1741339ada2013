"""`python -m actparse` is the command."""

import sys

from actparse.cli import main

sys.exit(main())
