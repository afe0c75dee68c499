"""Endpoints of the service itself: what it is, nonces, tokens, health, the API's description."""
