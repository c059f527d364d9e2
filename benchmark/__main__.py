"""`python -m benchmark`: the commands."""

import sys

from benchmark.cli import main
from benchmark.core.garbage import leave_it_all

if __name__ == "__main__":
    code = main()
    leave_it_all()
    sys.exit(code)
