"""Base paths that the floors below the endpoints must know."""

from typing import Final

OPERATOR: Final = "/api/v1/operator"
