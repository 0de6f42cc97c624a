"""``python -m worldsim COMMAND key=value ...``: the same as ``worldsim COMMAND key=value ...``."""

import sys

from worldsim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
