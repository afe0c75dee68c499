"""The service itself: its root, its health, its pages, its metrics, and what holds for every request."""

from __future__ import annotations

from typing import Final

from tests.support.answers.book import Book
from tests.support.answers.calls import Call, asked, raw, sent
from tests.support.answers.places import internal, place
from tests.support.provider_neighbours import MemoryArgo

NOBODY: Final = "GET /api/services/nonce"
SOMEBODY: Final = "userAddress=0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
START: Final = "POST /api/services/compute"


class BrokenArgo(MemoryArgo):
    """A mistake of ours while its jobs are listed."""

    async def list(self, *_: object, **__: object) -> list:  # type: ignore[override,type-arg]
        raise RuntimeError("a secret")


async def answers(book: Book) -> None:
    async with place(book) as (world, asker):
        await asker.table(
            {
                "root": asked("GET /"),
                "root, with a query": asked("GET /", "a=b"),
                "the process answers": asked("GET /health/live"),
                "its neighbours answer": asked("GET /health/ready"),
                "description": Call("GET /spec", compared=False),
                "page": Call("GET /api/docs/", compared=False),
                "page without its last slash": asked("GET /api/docs"),
                "unknown path": asked("GET /nothing"),
                "unknown path by POST": sent("POST /api/services/nothing", {"a": 1}),
                "unknown path by HEAD": asked("HEAD /nothing"),
                "path with a slash at its end": asked(NOBODY + "/", SOMEBODY),
                "path in capital letters": asked("GET /API/SERVICES/NONCE", SOMEBODY),
                "more slashes in front": asked("GET ///api/services/nonce", SOMEBODY),
                "more slashes inside": asked("GET /api//services///nonce", SOMEBODY),
                "more slashes inside, no query": asked("GET /api//docs/"),
                "more slashes inside, odd letters": asked("GET /api//%C3%BC%20x", "a=%ff"),
                "unknown method": asked("BREW /api/services/nonce"),
                "preflight": asked("OPTIONS /api/services/compute", origin="https://portal.example"),
                "preflight with headers": asked(
                    "OPTIONS /api/services/compute", access_control_request_headers="authtoken,x-own"
                ),
                "preflight of an unknown path": asked("OPTIONS /nothing"),
                "from a page": asked(NOBODY, SOMEBODY, origin="https://portal.example"),
                "from a page, refused": asked(NOBODY, origin="https://portal.example"),
                "too long an address": asked(NOBODY, "userAddress=" + "x" * 65_536),
                "too long headers": asked(NOBODY, SOMEBODY, x_long="x" * 65_536),
                "a thousand parameters": asked(NOBODY, "&".join(f"a{n}=" for n in range(1001))),
                "parameters that are no UTF-8": asked(NOBODY, "userAddress=%ff"),
                "parameters with a null byte": asked(NOBODY, "userAddress=%00"),
                "too many parts": raw(START, b"[" + b"1," * 200_000 + b"1]"),
                "JSON of another name": raw(START, b"{}", "application/vnd.own+json"),
                "JSON with its encoding": raw(START, b"{}", "application/json; charset=utf-8"),
                "JSON that is no UTF-8": raw(START, b'{"a": "\xff"}'),
                "JSON with NaN": raw(START, b'{"nonce": NaN}'),
            }
        )
        inside = internal(book, world)
        await inside.table(
            {
                "metrics": asked("GET /metrics"),
                "the process answers": asked("GET /healthz"),
                "its neighbours answer": asked("GET /readyz"),
                "unknown path": asked("GET /"),
            },
            "internal, ",
        )
    async with place(book, lambda world: setattr(world.chain, "away", True)) as (world, asker):
        await asker.ask("a chain does not answer", asked("GET /health/ready"))
        await internal(book, world).ask("internal, a chain does not answer", asked("GET /readyz"))
    async with place(book, server={"max_body_bytes": 1024}) as (_, asker):
        large = {"a": "x" * 1024}
        await asker.table(
            {
                "too large a start": sent(START, large),
                "too large a question": sent("POST /api/v1/why-not", large),
                "too large a question of a file": sent("POST /api/services/fileinfo", large),
                "too large a text to encrypt": raw(
                    "POST /api/services/encrypt", b"x" * 1025, "application/octet-stream", "chainId=8996"
                ),
                "too large a search": sent("POST /api/aquarius/assets/query", large),
                "too large a question to the subgraph": sent(
                    "POST /subgraphs/name/oceanprotocol/ocean-subgraph", large
                ),
                "too large a body where none is read": sent("GET /health/live", large),
                "too large a body for the root": sent("GET /", large),
                "too large a body of a wrong method": sent("PUT /api/services/encrypt", large),
                "too large a body of an unknown path": sent("POST /nothing", large),
                "just not too large": sent(NOBODY, {"a": "x" * 1016}),
            }
        )
    async with place(book, strangers={"units_per_minute": 1}) as (_, asker):
        await asker.table(
            {
                "the last that a stranger may ask": sent("POST /api/services/fileinfo", {}),
                "too much asked": asked("GET /"),
                "health is not counted": asked("GET /health/live"),
                "signed calls are not counted": sent(START, {}),
            }
        )
    async with place(book, lambda world: setattr(world, "argo", BrokenArgo())) as (_, asker):
        await asker.ask(
            "a mistake of ours",
            asked("GET /api/services/compute", "consumerAddress=0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
        )
