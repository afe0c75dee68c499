"""Calls to addresses that strangers name: publishers' file URLs and other providers' endpoints.

    guard = OutgoingGuard(allow_private=["127.0.0.1:8000/public@0x…"], forbid=["127.0.0.1:8030"])
    async with guard.client() as client, client.stream(file) as download:
        async for chunk in download.chunks(): ...

Every host is resolved once per connection, every address that the name has is checked, and the connection goes to a
checked address; so does every hop of a redirect. Proxies of the environment are not used. Errors show no URL.
"""

from ocean.outgoing.allowed import ANY_PUBLISHER, Allowed
from ocean.outgoing.client import Download, FileDigest, OutgoingClient
from ocean.outgoing.errors import OutgoingError, OutgoingFailed, OutgoingRefused
from ocean.outgoing.guard import OutgoingGuard, Resolver

__all__ = [
    "ANY_PUBLISHER",
    "Allowed",
    "Download",
    "FileDigest",
    "OutgoingClient",
    "OutgoingError",
    "OutgoingFailed",
    "OutgoingGuard",
    "OutgoingRefused",
    "Resolver",
]
