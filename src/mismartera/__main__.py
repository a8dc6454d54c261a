"""``python -m mismartera``: the command line."""

import sys

if __name__ == "__main__":
    # Not above: the workers of a sweep import this module, too, under another name, and have no command line.
    from mismartera.cli.main import main

    sys.exit(main())
