"""What holds for every endpoint, for the top of the description. Markdown of the plainest kind."""

from __future__ import annotations

from typing import Final

INTRODUCTION: Final = """\
The interface of Ocean Provider 2.1.6, for the clients that people have: ocean.py, ocean.js, or plain HTTP.

## Where parameters come from

If the address has any query parameter, the query is the whole input and the body is ignored. Otherwise the JSON body
is the input; it needs a JSON content type, and broken JSON counts as an empty object. So `GET` works with a JSON
body, `PUT` and `DELETE` with either. Of a repeated query key the first value counts. A dotted name
(`dataset.documentId`) is a member of a nested object. Starting a job reads the body only. Unknown parameters are
ignored.

## Signatures

A signed request carries `signature` over a message: the named parameters as they were sent, one after the other
without anything in between, a missing one as nothing, the nonce last. The signed bytes are the 32 bytes of the
message's Keccak-256 hash, signed like any message of a wallet (`personal_sign`); 65 bytes as hex, with `v` 27 or 28,
0 or 1.

A nonce is a decimal number, 0 or greater, at most 78 digits, 18 of them after the point. It must be strictly greater
than every one that the account has used, in whatever spelling of its address. A token of `createAuthToken` in the
header `AuthToken` stands for a signature; the nonce is needed all the same.

## Answers

JSON is compact, with sorted keys (jobs keep the order of Ocean's operator) and a newline at the end. Any origin may
call; browsers may read `Content-Disposition`. `HEAD` is answered with 405, after the validation; paths are
case-sensitive, and one with a slash at its end is another path. Doubled slashes at the start of a path are ignored,
further inside they are redirected (308).

## Errors

- 400 `{"errors": {field: [text]}, "message": "Validation error", "success": false}`: parameters, signature or nonce.
- 4xx `{"error": text}`, for compute jobs `{"error": {place: code}}`: a check said no.
- 404, 405 (with `Allow`), 413, 414, 431 `{"context": null, "error": text}`: no such path or method, or too large a
  request.
- 503 (with `Retry-After`), 502 `{"context": null, "error": text}`: a neighbour of the service is away, or failed.
- 500 `{"context": null, "error": "Internal error."}`: a fault of the service, for its operator to find in the log by
  the answer's `X-Request-ID`.
"""

TAGS: Final = {
    "Service": "The service itself.",
    "Accounts": "Nonces and tokens.",
    "Assets": "Files of assets: encrypt, look at, order, fetch.",
    "Compute": "Jobs, from the choice of an environment to the results.",
    "Metadata store": "What clients ask of Aquarius, answered here.",
    "Subgraph": "What clients ask of Ocean's subgraph, answered from the index.",
    "Operator-Service": "For Ocean Providers that use this service as their operator.",
}
