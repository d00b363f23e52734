"""`python -m allrounder.cli`."""

import sys

from allrounder.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
