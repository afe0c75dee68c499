"""Ocean's protocol as a library: no web server, no Argo.

`py_ecc`, which eth_account brings along, raises Python's recursion limit to 100,000 when it is imported. From then on
a request of 100 kB of opening brackets overflows the C stack of the JSON parser and kills the process. So it is
imported here, first, and the limit is put back to Python's own.
"""

import sys
from contextlib import suppress
from typing import Final

RECURSION_LIMIT: Final = 1000

with suppress(ImportError):
    import py_ecc  # noqa: F401  only for its side effect, which thus cannot come later

if sys.getrecursionlimit() >= 100_000:
    sys.setrecursionlimit(RECURSION_LIMIT)
