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

A nonce is a decimal number, 0 or greater, of at most 255 characters; with an exponent (`1.5e+23`) a whole number. It
must be strictly greater than every one that the account has used, in whatever spelling of its address, and a signed
text is accepted once, whatever it is read as. A token of `createAuthToken` in the header `AuthToken` stands for a
signature; the nonce is needed all the same.

Instead of the message, the typed form (EIP-712) of a call may be signed, which names more than messages do. Domain
`{"name": "Compute-to-Data Provider", "version": "1"}`; type `Call(address provider,address account,string call,
Parameter[] parameters,string nonce)Parameter(string name,string value)`. `provider` is the address in the root
document, `account` the caller, `call` method and path (`GET /api/services/createAuthToken`), `parameters` all that is
sent but signature, nonce and the caller's address, sorted by name; a value that is no text is its JSON, with sorted
keys and without blanks. A provider may demand this form.

Contract wallets sign as `isValidSignature` (ERC-1271) of theirs says, for the hash that `personal_sign` makes of the
message's 32 bytes, or for that of the typed form. It is asked on the chain of the assets that the call is about;
otherwise on all chains, and wherever the address has code the answer must be yes.

## Answers

JSON is compact, with sorted keys (jobs keep the order of Ocean's operator) and a newline at the end. Any origin may
call; browsers may read `Content-Disposition`. `HEAD` is answered with 405, after the validation; paths are
case-sensitive, and one with a slash at its end is another path. Doubled slashes at the start of a path are ignored,
further inside they are redirected (308).

## Errors

- 400 `{"errors": {field: [text]}, "message": "Validation error", "success": false}`: parameters, signature or nonce.
- 4xx `{"error": text}`, for compute jobs `{"error": {place: code}}`: a check said no.
- 404, 405 (with `Allow`), 408, 413, 414, 431 `{"context": null, "error": text}`: no such path or method, too slow or
  too large a request.
- 429 (with `Retry-After`) `{"context": null, "error": text}`: more than an address may have without a signature.
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
