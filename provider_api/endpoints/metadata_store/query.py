"""POST assets/query: a search over all assets, as clients of the store write it.

Who names the assets gets them as they are at this moment, as from `assets/ddo`; other searches read the catalogue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean.did import is_did
from ocean.kit.bounded_json import JsonUnbounded, read_bounded
from ocean.kit.together import together
from provider_api.endpoints.metadata_store.answers import answer, refusal
from provider_api.endpoints.metadata_store.matching import QueryUnsupported
from provider_api.endpoints.metadata_store.search import Search
from provider_api.endpoints.request import services_of
from provider_api.services import Services

router = APIRouter(prefix="/assets")

MAX_BODY_BYTES = 1024 * 1024


@router.post("/query")
async def query(request: Request) -> Response:
    """200 with `{"hits": {"total": {"value"}, "hits": [{"_source": asset}]}}`; 400 says what is not understood."""
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        return refusal(f"A query may have at most {MAX_BODY_BYTES} bytes.", 413)
    try:
        given = read_bounded(body)
        search = await asyncio.to_thread(Search.of, given)
    except (JsonUnbounded, RecursionError):
        return refusal("The query is nested too deeply, or has too many values.")
    except QueryUnsupported as exc:
        return refusal(str(exc))
    except ValueError:
        return refusal("The body must be a JSON object.")
    documents = await _documents(services_of(request), search)
    return await asyncio.to_thread(lambda: answer(search.answer(documents)))


async def _documents(services: Services, search: Search) -> list[Mapping[str, Any]]:
    """All that may fit. Raises ChainUnavailable, NeighbourAway."""
    if search.ids is None or len(search.ids) > services.settings.limits.list_limit:
        return await services.catalogues.documents()
    named = sorted(did for did in search.ids if is_did(did))
    found = await together(*(services.chains.resolve(did) for did in named))
    return [each[1].document() for each in found if each is not None]
