"""Where the API lies."""

from typing import Final

PREFIX: Final = "/api/v1/operator"
