"""Entry point of the configuration step's container."""

import os
import sys

from pods.configuration.program import run
from pods.program import main

if __name__ == "__main__":
    sys.exit(main("configuration", lambda: run(os.environ)))
