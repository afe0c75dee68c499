"""The description of the API. Parameters come from the routes' own tables of fields."""

from provider_api.openapi.document import document, document_text
from provider_api.openapi.page import page

__all__ = ["document", "document_text", "page"]
