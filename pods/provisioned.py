"""What configuration leaves for a job's passport and publishing reads: digests of all that went in.

The file lies in a folder of the volume that neither an algorithm nor a filter ever has mounted.
"""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from contract.provenance import Provisioned
from ocean.kit.atomic import SECRET, replace_file
from pods.settings import Volume

FILE: Final = "provisioned.json"


def write_provisioned(volume: Volume, provisioned: Provisioned) -> None:
    """Raises OSError."""
    volume.record.mkdir(mode=0o700, exist_ok=True)
    replace_file(volume.record / FILE, provisioned.model_dump_json(), mode=SECRET)


def read_provisioned(volume: Volume) -> Provisioned | None:
    """None: configuration did not come so far, or no passport is made. Raises OSError, ValueError."""
    path = volume.record / FILE
    if not path.exists():
        return None
    try:
        return Provisioned.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise ValueError(f"{FILE} has a form that this version does not know") from None
