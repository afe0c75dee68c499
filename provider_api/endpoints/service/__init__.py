"""Endpoints of the service itself: what it is, nonces, tokens, health, the API's description."""

from typing import Final

from provider_api.endpoints.service import api_pages, auth, health, nonce, root

ENDPOINTS: Final = (
    root.root,
    health.live,
    health.ready,
    api_pages.spec,
    api_pages.docs,
    nonce.nonce,
    auth.create_auth_token,
    auth.delete_auth_token,
    auth.delete_all_auth_tokens,
)
