"""Values that clients and publishers send either as they are or as their JSON text: algorithms' metadata, user data,
consumer parameters, credentials, the output section. Ocean's clients do both, for the same field.
"""

from __future__ import annotations

import json
from typing import Any


class TextIsNotJson(ValueError):
    """The value came as text, and the text is no JSON, or is nested too deeply for the parser."""


def object_or_text(value: Any) -> Any:
    """The value that a text stands for; whatever is no text, as it is. An empty text stands for nothing: None.

    What a text of blanks and a text that is not JSON mean is the caller's to say: it raises TextIsNotJson for both.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError):
        raise TextIsNotJson from None
