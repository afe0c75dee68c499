"""httpcore's exceptions as ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore

from ocean.outgoing.errors import OutgoingFailed, OutgoingRefused


@contextmanager
def translated() -> Iterator[None]:
    """httpcore's exceptions as ours, without their texts, which may name hosts."""
    try:
        yield
    except httpcore.TimeoutException:
        raise OutgoingFailed("timeout", retriable=True) from None
    except httpcore.ConnectError as error:
        if (cause := _tls_cause(error)) is not None:
            certificate = isinstance(cause, ssl.SSLCertVerificationError)
            raise OutgoingFailed("tls", retriable=not certificate) from None
        raise OutgoingFailed("connection", retriable=True) from None
    except httpcore.RemoteProtocolError:
        raise OutgoingFailed("protocol", retriable=True) from None
    except httpcore.LocalProtocolError:
        raise OutgoingRefused("headers") from None
    except httpcore.UnsupportedProtocol:
        raise OutgoingRefused("scheme") from None
    except httpcore.NetworkError:
        raise OutgoingFailed("connection", retriable=True) from None


def _tls_cause(error: BaseException) -> ssl.SSLError | None:
    """The TLS error beneath, if that is why the connection failed."""
    beneath: BaseException | None = error
    while beneath is not None:
        if isinstance(beneath, ssl.SSLError):
            return beneath
        beneath = beneath.__cause__ or beneath.__context__
    return None
