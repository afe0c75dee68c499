"""POST of a GraphQL question. Every answer has GraphQL's shape: `{"data"}` or `{"errors": [{"message"}]}`.

A question that is refused is answered with 200, as graph nodes do and GraphQL's clients expect of JSON; what is no
question with 400; a chain that is away, or an index that is far behind, with 503 and Retry-After.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import APIRouter
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSyntaxError, execute, parse, validate
from starlette.requests import Request
from starlette.responses import Response

from ocean.chain.errors import ChainUnavailable
from ocean.kit.bounded_json import read_bounded
from ocean.kit.compact_json import compact_json
from provider_api.chains.chains import Chain, Chains
from provider_api.endpoints.request import services_of
from provider_api.endpoints.subgraph.answers import Answers
from provider_api.endpoints.subgraph.limits import MOST_TOKENS, too_much
from provider_api.endpoints.subgraph.schema import schema

log = structlog.get_logger(__name__)

PATH: Final = "/subgraphs/name/oceanprotocol/ocean-subgraph"
OF_CHAIN: Final = "/chains/{chain_id}"
MAX_BODY_BYTES: Final = 64 * 1024
MOST_ERRORS: Final = 10

router = APIRouter()


@router.post(PATH)
async def first_chain(request: Request) -> Response:
    return await _answered(request, None)


@router.post(OF_CHAIN + PATH)
async def one_chain(request: Request, chain_id: str) -> Response:
    return await _answered(request, chain_id)


async def _answered(request: Request, chain_id: str | None) -> Response:
    services = services_of(request)
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
