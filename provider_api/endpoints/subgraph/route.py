"""POST of a GraphQL question. Every answer has GraphQL's shape: `{"data"}` or `{"errors": [{"message"}]}`.

A question that is refused is answered with 200, as graph nodes do and GraphQL's clients expect of JSON; what is no
question with 400; a chain that is away, or an index that is far behind, with 503 and Retry-After.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSyntaxError, execute, parse, validate
from starlette.requests import Request
from starlette.responses import Response

from ocean.chain.errors import ChainUnavailable
from ocean.kit.bounded_json import read_bounded
from ocean.kit.compact_json import compact_json
from provider_api.chains.chains import Chain, Chains
from provider_api.endpoints.descriptions import CHAIN_AWAY
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import ServicesDep
from provider_api.endpoints.subgraph.answers import Answers
from provider_api.endpoints.subgraph.limits import MOST_TOKENS, too_much
from provider_api.endpoints.subgraph.schema import schema
from provider_api.openapi import samples
from provider_api.openapi.operation import OBJECT, STRING, Answer, Failure, Operation, Parameter
from provider_api.services import Services

log = structlog.get_logger(__name__)

PATH: Final = "/subgraphs/name/oceanprotocol/ocean-subgraph"
OF_CHAIN: Final = "/chains/{chain_id}"
MAX_BODY_BYTES: Final = 64 * 1024
MOST_ERRORS: Final = 10

_QUERY: Final = "query ($id: ID!) { token(id: $id) { symbol fixedRateExchanges { price active } } }"
_TOKEN: Final = {"symbol": "DT", "fixedRateExchanges": [{"price": "2.5", "active": True}]}
_TEXT: Final = (
    "GraphQL. The fields are those of Ocean's subgraph that nautilus and the Pontus-X portal read: `token`, `orders`,"
    " `nftUpdates`, `opc`, `opcs`, `_meta`; the schema can be asked for. An answer holds for the block that the chain"
    " has when it is asked. A question that is refused is answered with 200 and `errors`."
)


def _operation(path: str, id_: str, summary: str, **more: Any) -> Operation:
    failures = {
        400: Failure(
            "GraphErrors",
            "The body is no question.",
            {
                "body": {
                    "errors": [{"message": 'The body must be a JSON object like {"query": "…", "variables": {…}}.'}]
                }
            },
        ),
        503: Failure(
            "GraphErrors",
            CHAIN_AWAY.text,
            {"away": {"errors": [{"message": "The blockchain node does not answer at the moment."}]}},
            CHAIN_AWAY.headers,
        ),
    }
    if path != PATH:
        message = "This chain is not served. Served: 8996."
        failures[404] = Failure("GraphErrors", "No such chain here.", {"chain": {"errors": [{"message": message}]}})
    return Operation(
        "POST",
        path,
        id_,
        "Subgraph",
        summary,
        {
            200: Answer(
                "`data`, or `errors`.",
                {"type": "object", "properties": {"data": {}, "errors": {"type": "array", "items": OBJECT}}},
                {
                    "price": {"data": {"token": _TOKEN}},
                    "refused": {"errors": [{"message": "Cannot query field 'cost' on type 'Token'."}]},
                },
            )
        },
        failures,
        text=_TEXT,
        parameters={
            "query": Parameter("The question.", schema=STRING, required=True),
            "variables": Parameter("Values of its variables.", schema={"type": ["object", "null"]}),
            "operationName": Parameter("Which of several operations.", schema={"type": ["string", "null"]}),
        },
        place="body",
        examples={"price": {"query": _QUERY, "variables": {"id": samples.NFT.lower()}}},
        **more,
    )


@endpoint(_operation(PATH, "askSubgraph", "Ask about the first chain"))
async def first_chain(request: Request, services: ServicesDep) -> Response:
    return await _answered(request, services, None)


@endpoint(
    _operation(
        OF_CHAIN + PATH,
        "askSubgraphOfChain",
        "Ask about one of several chains",
        path_parameters={"chain_id": Parameter("The chain.", "8996")},
    )
)
async def one_chain(request: Request, services: ServicesDep, chain_id: str) -> Response:
    return await _answered(request, services, chain_id)


async def _answered(request: Request, services: Services, chain_id: str | None) -> Response:
    chain = _chain(services.chains, chain_id)
    if chain is None:
        served = ", ".join(map(str, services.chains.ids()))
        return _refused([f"This chain is not served. Served: {served}."], 404)
    try:
        query, variables, operation = _question(await request.body())
    except ValueError as exc:
        return _refused([str(exc)], 400)
    retry = {"Retry-After": str(services.settings.limits.retry_after_seconds)}
    try:
        document = _document(query)
        view, scanned = await chain.market()
        outcome = execute(
            schema(),
            document,
            Answers(view, scanned).root(),
            variable_values=dict(variables),
            operation_name=operation,
        )
        result = outcome if isinstance(outcome, ExecutionResult) else await outcome
    except _Refused as exc:
        return _refused(exc.texts, 200)
    except ChainUnavailable as exc:
        log.warning("chain_unavailable", chain_id=exc.chain_id, reason=exc.reason)
        return _refused(["The blockchain node does not answer at the moment."], 503, retry)
    for error in result.errors or ():
        if isinstance(error.original_error, ChainUnavailable):
            return _refused(["The blockchain node does not answer at the moment."], 503, retry)
        if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
            raise error.original_error  # ours: it is answered and logged as all such are
    if result.errors:
        return _answer({"errors": [_shown(error) for error in result.errors[:MOST_ERRORS]], "data": result.data})
    return _answer({"data": result.data})


class _Refused(Exception):
    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(*texts)
        self.texts = texts


def _chain(chains: Chains, chain_id: str | None) -> Chain | None:
    for chain in chains.all():
        if chain_id in (None, str(chain.chain_id)):
            return chain
    return None


def _question(body: bytes) -> tuple[str, Mapping[str, Any], str | None]:
    """(query, variables, name of the operation). Raises ValueError with a text for the caller."""
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"A question may have at most {MAX_BODY_BYTES} bytes.")
    try:
        given = read_bounded(body)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("query"), str):
        raise ValueError('The body must be a JSON object like {"query": "…", "variables": {…}}.')  # noqa: TRY004
    variables, operation = given.get("variables"), given.get("operationName")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict) or not isinstance(operation, str | None):
        raise ValueError("`variables` must be an object, `operationName` a text.")  # noqa: TRY004
    return given["query"], variables, operation or None


def _document(query: str) -> DocumentNode:
    """Raises _Refused."""
    try:
        document = parse(query, max_tokens=MOST_TOKENS)
        errors = validate(schema(), document, max_errors=MOST_ERRORS)
    except GraphQLSyntaxError as exc:
        raise _Refused([exc.message]) from exc
    except RecursionError as exc:
        raise _Refused(["The query is nested too deeply."]) from exc
    if errors:
        raise _Refused([error.message for error in errors])
    if (reason := too_much(document)) is not None:
        raise _Refused([reason])
    return document


def _refused(texts: Sequence[str], status: int, headers: Mapping[str, str] | None = None) -> Response:
    return _answer({"errors": [{"message": text} for text in texts]}, status, headers)


def _shown(error: GraphQLError) -> dict[str, Any]:
    shown: dict[str, Any] = {"message": error.message}
    return shown | ({"path": list(error.path)} if error.path else {})


def _answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    text = compact_json(value)
    return Response(text, status, media_type="application/json", headers=dict(headers or {}))
