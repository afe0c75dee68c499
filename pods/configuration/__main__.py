"""Entry point of the configuration step's container."""

import os
import sys

# httpx imports its own command-line program if it can, which costs 50 ms and is of no use here. With None in its place
# the import fails, as where that program's packages are not installed.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from pods.configuration.program import run  # noqa: E402
from pods.program import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main("configuration", lambda: run(os.environ)))
