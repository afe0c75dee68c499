"""What initializeCompute, start and why-not ask for alike: datasets and an algorithm."""

from __future__ import annotations

from typing import Final

from provider_api.calls.fields import Field, required_with_all, required_without, text_value
from provider_api.openapi.components import ref
from provider_api.openapi.operation import ANY, Parameter

ALGORITHM = (
    Field(
        "algorithm.documentId",
        (
            required_without("algorithm.meta"),
            required_with_all("algorithm.serviceId", "algorithm.transferTxId"),
            text_value,
        ),
    ),
    Field("algorithm.meta", (required_without("algorithm.documentId"),)),
)
DATASETS: Final = {"type": "array", "items": ref("AssetReference"), "minItems": 1}
_META: Final = {
    "type": ["object", "string", "null"],
    "properties": {
        "rawcode": {"description": "The program; or `url`, from where it is fetched."},
        "container": {
            "description": "Texts: `entrypoint` (with `$ALGO`), `image`, `tag`, `checksum` (`sha256:` and the digest)."
        },
    },
}
ALGORITHM_PARAMETERS: Final = {
    "algorithm.documentId": Parameter("DID of a published algorithm, unless `algorithm.meta` is given."),
    "algorithm.meta": Parameter("An algorithm sent along: an object, or its JSON text.", schema=_META),
    "algorithm.serviceId": Parameter("Service of a published algorithm.", schema=ANY),
    "algorithm.transferTxId": Parameter("Its order.", schema=ANY),
    "algorithm.userdata": Parameter("Its consumer parameters.", schema=ANY),
    "algorithm.algocustomdata": Parameter("Anything; the algorithm finds it as `algoCustomData.json`.", schema=ANY),
}
REFUSED_BY_A_RULE: Final = {
    "not_trusted": {"error": {"dataset": "not_trusted_algo"}},
    "order": {"error": {"dataset.serviceId": "order_invalid"}},
}
