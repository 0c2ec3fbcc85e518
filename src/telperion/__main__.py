"""``python -m telperion``, which is how torchrun starts the command line."""

import sys

from telperion.cli import main

if __name__ == "__main__":
    sys.exit(main())
