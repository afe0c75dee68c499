"""How nodes refuse: what public ones and their gateways were seen to say when a batch, a range or a rate is too large.

Each form is (HTTP status, JSON-RPC code, message); where {limit} stands, they name it.
"""

from __future__ import annotations

RANGES: dict[str, tuple[int, int, str]] = {
    "geth-like": (200, -32000, "block range is too large"),
    "oasis": (200, -32602, "exceed maximum block range: {limit}"),
    "infura": (200, -32602, "range {asked} exceeds limit of {limit}"),
    "tenderly": (200, -32602, "invalid params: range {asked} is bigger than range limit {limit}"),
    "quicknode": (413, -32614, "eth_getLogs is limited to a {limit} range"),
    "reth": (200, -32602, "query exceeds max block range {limit}"),
    "erigon": (200, -32000, "query block range exceeds server limit, narrow your filter: {limit}"),
    "morph": (
        200,
        -32000,
        "block range is larger than max block range, block range = {asked}, max block range = {limit}",
    ),
    "scroll": (200, -32000, "block range is bigger than maxBlockRange"),
    "polygon": (200, -32005, "block range too large, max range: {limit}"),
    "ankr": (200, -32062, "Block range is too large"),
    "bsc": (200, -32005, "limit exceeded: maximum {limit} blocks"),
    "free tier": (400, 35, "ranges over {limit} blocks are not supported on freetier"),
    "alchemy": (400, -32600, "You can make eth_getLogs requests with up to a {limit} block range."),
    "wordless": (200, -32603, "internal error"),
    "unrelated words": (500, -32000, "the gods are angry"),
}

RESULTS: dict[str, tuple[int, int, str]] = {
    "infura": (200, -32005, "query returned more than {limit} results"),
    "alchemy": (200, -32602, "Log response size exceeded."),
    "erigon": (200, -32000, "query returns too many logs, narrow your filter: {limit}"),
    "timeout": (200, -32000, "query timeout exceeded"),
}

RATES: dict[str, tuple[int, int, str]] = {
    "eip-1474": (200, -32005, "limit exceeded"),
    "infura": (429, -32005, "project ID request rate exceeded"),
    "infura daily": (200, -32005, "daily request count exceeded, request rate limited"),
    "alchemy": (429, 429, "Your app has exceeded its compute units per second capacity."),
    "quicknode": (200, -32007, "50/second request limit reached - reduce calls per second or upgrade"),
    "base": (200, -32016, "over rate limit"),
    "ankr": (429, -32090, "Too many requests, reason: call rate limit exhausted"),
    "plain": (429, -32029, "Too Many Requests"),
    "unknown code": (429, -32000, "no"),
}

# What is said of a whole batch: the shape, and the words.
BATCHES: dict[str, tuple[str, int, int, str]] = {
    "geth": ("object", 200, -32600, "batch too large"),
    "erigon": ("object", 200, -32000, "batch limit {limit} exceeded: {asked} requests given"),
    "list with one error": ("list", 200, -32600, "batch too large"),
    "free tier": ("object", 500, 31, "Batch of more than {limit} requests are not allowed on free tier"),
    "every call refused": ("each", 200, -32005, "exceeded maximum batch size"),
    "unsupported": ("object", 200, -32600, "Invalid Request"),
    "jsonrpsee": ("object", 200, -32010, "The batch request was too large"),
    "413": ("text", 413, 0, "<html>413 Request Entity Too Large</html>"),
    "400": ("text", 400, 0, "Bad Request"),
    "empty": ("text", 200, 0, ""),
    "null": ("text", 200, 0, "null"),
    "empty list": ("text", 200, 0, "[]"),
    "only some answers": ("some", 200, 0, ""),
    "answers that no longer fit": ("rest", 200, -32003, "response too large"),
    "hangs up": ("close", 0, 0, ""),
}
