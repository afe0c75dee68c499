"""Entry point of the publishing step's container."""

import os
import sys

from pods.program import main
from pods.publishing.program import run

if __name__ == "__main__":
    sys.exit(main("publishing", lambda: run(os.environ)))
