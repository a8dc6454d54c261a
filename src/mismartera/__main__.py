"""``python -m mismartera``: the command line."""

import sys

from mismartera.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
