"""`python -m qaexp` is the command `qaexp`."""

import sys

from qaexp.cli import main

if __name__ == "__main__":
    sys.exit(main())
