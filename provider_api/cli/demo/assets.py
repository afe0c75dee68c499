"""What the demo publishes: two real datasets with different owners' interests, one algorithm that both trust."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ocean.chain.publishing import AssetDraft
from ocean.ddo import DDO
from ocean.files import UrlFile
from ocean.trust import container_checksum, files_checksum

EXAMPLE: Final = Path(__file__).resolve().parents[3] / "examples" / "flight-delays"
DEPARTURES, WEATHER, ALGORITHM = "departures.csv.gz", "weather.csv", "algorithm.py"

# The embedded server runs this machine's Python for the image `python` and says that it verifies no digest; in a
# cluster the digest decides which image runs.
CONTAINER: Final = {
    "entrypoint": "python $ALGO",
    "image": "python",
    "tag": "3",
    "checksum": "sha256:" + "0" * 64,
}


class ExampleMissing(RuntimeError):
    """The demo's files are not there, or not what their algorithm computes with."""


def example_files() -> dict[str, Path]:
    """Name to path. Raises ExampleMissing."""
    if find_spec("numpy") is None:
        raise ExampleMissing("the demo's algorithm needs numpy; install it with: pip install 'compute-to-data[demo]'")
    files = {name: EXAMPLE / name for name in (DEPARTURES, WEATHER, ALGORITHM)}
    for path in files.values():
        if not path.is_file():
            raise ExampleMissing(f"the demo needs {path}; run it in a checkout of the project")
    return files


def algorithm(url: str) -> AssetDraft:
    return AssetDraft(
        name="Late departures explained",
        files=[UrlFile(url)],
        type="algorithm",
        description="Regression of the share of late departures on weather and time of day",
        author="A data scientist",
        license="Apache-2.0",
        algorithm={"language": "python", "version": "1", "container": CONTAINER},
    )


def dataset(name: str, description: str, url: str, trusted: DDO, algorithm_bytes: bytes) -> AssetDraft:
    """A dataset that only the trusted algorithm may read: by its DID, the bytes of its files, its container."""
    return AssetDraft(
        name=name,
        files=[UrlFile(url)],
        description=description,
        author="A data owner",
        compute=_only(trusted, algorithm_bytes),
    )


def _only(trusted: DDO, algorithm_bytes: bytes) -> Mapping[str, Any]:
    return {
        "allowRawAlgorithm": False,
        "allowNetworkAccess": False,
        "publisherTrustedAlgorithmPublishers": [],
        "publisherTrustedAlgorithms": [
            {
                "did": trusted.id,
                "filesChecksum": files_checksum([hashlib.sha256(algorithm_bytes).hexdigest()]),
                "containerSectionChecksum": container_checksum(CONTAINER["entrypoint"], CONTAINER["checksum"]),
            }
        ],
    }
