"""How a command is carried out: the session is opened, the work done, and every trouble told with its exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from client.exits import Exit, Refused, SignedOut, Trouble, Unreachable, Unusable
from client.printing import Printer
from client.session import Given, Session, opened
from client.text import said_in
from ocean.chain.errors import (
    ChainUnavailable,
    NetworkMisconfigured,
    NotForSale,
    TransactionFailed,
    TransactionUnconfirmed,
)
from ocean.client import AnswerUnusable, ConsumerError
from ocean.fees import QuoteMalformed

Work = Callable[[Session, Printer], Awaitable[int]]


def carry_out(given: Given, work: Work) -> int:
    """Do it; the exit code."""
    printer = Printer(as_json=given.as_json)
    try:
        return asyncio.run(_carried_out(given, work, printer))
    except Trouble as exc:
        printer.trouble(str(exc), exc.code, exc.reasons)
        return exc.code
    except KeyboardInterrupt:
        if printer.way_back:
            printer.progress(printer.way_back)
        return Exit.DETACHED


async def _carried_out(given: Given, work: Work, printer: Printer) -> int:
    """Raises Trouble, into which the errors of all neighbours are translated."""
    async with opened(given) as session:
        provider = session.profile.provider
        try:
            return await work(session, printer)
        except ConsumerError as exc:
            raise of_provider(exc) from exc
        except AnswerUnusable as exc:
            raise Unreachable(f"{provider} does not answer as a provider does: {exc}") from exc
        except (httpx.TransportError, httpx.InvalidURL) as exc:
            raise Unreachable(f"{provider} does not answer: {str(exc) or type(exc).__name__}") from exc
        except QuoteMalformed as exc:
            raise Unreachable(f"{provider} asks for a fee that cannot be paid: {exc}") from exc
        except (ChainUnavailable, NetworkMisconfigured) as exc:
            raise Unreachable(f"the chain cannot be used: {exc}") from exc
        except TransactionUnconfirmed as exc:
            raise Unreachable(f"{exc}; look at it before you order again") from exc
        except TransactionFailed as exc:
            raise Refused(f"{exc}: is there enough of the tokens that it costs, and of the chain's own coin?") from exc
        except NotForSale as exc:
            raise Refused(str(exc)) from exc
        except OSError as exc:
            place = f" {exc.filename}" if exc.filename else ""
            raise Unusable(f"the file{place} cannot be used: {exc.strerror or type(exc).__name__}") from exc


def of_provider(error: ConsumerError) -> Trouble:
    """What an error of the provider means for the command."""
    said = f"{said_in(error.body)} ({error.status})"
    if error.status == 401:
        return SignedOut(f"the provider does not take the token or the signature: {said}; c2d login makes a new one")
    if 300 <= error.status < 400:
        return Unreachable(f"the provider sends elsewhere, and no redirect is followed: {said}")
    if 400 <= error.status < 500 and error.status != 429:
        reason = {"place": "request", "code": said_in(error.body)}
        return Refused(f"the provider refuses: {said}", [reason])
    wait = error.headers.get("retry-after", "")
    return Unreachable(f"the provider cannot answer: {said}; try again{f' in {wait} seconds' if wait else ' later'}")
