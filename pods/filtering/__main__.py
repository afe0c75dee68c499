"""Entry point of the filtering step's init container."""

import os
import sys

from pods.filtering.program import run
from pods.program import main

if __name__ == "__main__":
    sys.exit(main("filtering", lambda: run(os.environ)))
