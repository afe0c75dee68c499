"""The document that describes an asset (DDO v4), read leniently and kept as received.

Publishers write these documents and rules judge them, so reading refuses only what nobody could judge: a document
that is no object, has no id, or whose services are no list of objects with a time limit. Text fields that are absent
or of another JSON type read as "". Sections whose exact JSON value matters to a rule (`allowRawAlgorithm`, the
trusted lists, credentials, consumer parameters) are `Any`, as received. Unknown fields are kept.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic.alias_generators import to_camel

from ocean.kit.bounded_json import JsonUnbounded, no_constant, require_bounded

UNBOUND_VERSION = "4.0.0"  # what a document without `version` is


class DDOMalformed(ValueError):
    """Not a DDO. `where` names the first offending place (`services.0.timeout`); values are never shown."""

    def __init__(self, where: str) -> None:
        super().__init__(f"not a valid DDO: {where}")
        self.where = where


def _object_or_none(value: Any) -> Any:
    return value if isinstance(value, dict | BaseModel) else None


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else ""


def _integer_or_none(value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a boolean is no number")  # noqa: TRY004  pydantic turns ValueError into its own error
    return value


Text = Annotated[str, BeforeValidator(_text)]
OptionalInteger = Annotated[int | None, BeforeValidator(_integer_or_none)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Container(_Section):
    """How the algorithm's image is named and started. `checksum` is the image digest, `sha256:` and hex."""

    entrypoint: Text = ""
    image: Text = ""
    tag: Text = ""
    checksum: Text = ""


class AlgorithmMetadata(_Section):
    language: Text = ""
    version: Text = ""
    container: Annotated[Container | None, BeforeValidator(_object_or_none)] = None
    consumer_parameters: Any = None


class Metadata(_Section):
    """`type` is `dataset` or `algorithm`, "" if absent."""

    type: Text = ""
    name: Text = ""
    description: Text = ""
    author: Text = ""
    license: Text = ""
    created: Text = ""
    updated: Text = ""
    algorithm: Annotated[AlgorithmMetadata | None, BeforeValidator(_object_or_none)] = None


class Compute(_Section):
    """The rules of a compute service as published; any JSON value, None if absent."""

    allow_raw_algorithm: Any = None
    allow_network_access: Any = None
    publisher_trusted_algorithms: Any = None
    publisher_trusted_algorithm_publishers: Any = None


class Service(_Section):
    """One way to use an asset. `timeout`: seconds that an order stays valid, 0 for ever. `files`: encrypted, hex."""

    id: Text = ""
    type: Text = ""
    name: Text = ""
    description: Text = ""
    datatoken_address: Text = ""
    service_endpoint: Text = ""
    files: Text = Field(default="", repr=False)
    timeout: Annotated[int, BeforeValidator(_number), Field(ge=0)]
    compute: Annotated[Compute | None, BeforeValidator(_object_or_none)] = None
    consumer_parameters: Any = None
    additional_information: Any = None


class Nft(_Section):
    """The asset's data NFT as indexed. `state`: 0 active, 5 unlisted; with any other the asset is not consumable."""

    address: Text = ""
    name: Text = ""
    symbol: Text = ""
    state: OptionalInteger = None
    owner: Text = ""


class DDO(_Section):
    """`nft`, `datatokens`, `event`, `stats`, `purgatory` are added by an index and are never on chain."""

    id: str
    version: Annotated[Text, BeforeValidator(lambda value: UNBOUND_VERSION if value is None else value)] = (
        UNBOUND_VERSION
    )
    chain_id: OptionalInteger = None
    nft_address: Text = ""
    metadata: Annotated[Metadata | None, BeforeValidator(_object_or_none)] = None
    services: Annotated[tuple[Service, ...], BeforeValidator(lambda value: () if value is None else value)] = ()
    credentials: Any = None
    nft: Annotated[Nft | None, BeforeValidator(_object_or_none)] = None
    datatokens: Any = None
    event: Any = None
    stats: Any = None
    purgatory: Any = None

    _document: dict[str, Any] | None = PrivateAttr(default=None)

    @classmethod
    def parse(cls, source: bytes | str | dict[str, Any]) -> DDO:
        """Read a document from JSON (UTF-8) or an object. Raises DDOMalformed."""
        document = source if isinstance(source, dict) else _loaded(source)
        try:
            require_bounded(document)
            ddo = cls.model_validate(document)
        except JsonUnbounded:
            raise DDOMalformed("document") from None
        except ValidationError as error:
            place = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
            raise DDOMalformed(".".join(map(str, place))) from None
        ddo._document = copy.deepcopy(document)
        return ddo

    def with_added(self, *, stats: dict[str, Any], purgatory: dict[str, Any]) -> DDO:
        """The same document with these two of the added fields, which change without a metadata event."""
        changed = self.model_copy(update={"stats": stats, "purgatory": purgatory})
        if self._document is not None:
            changed._document = self._document | {"stats": stats, "purgatory": purgatory}
        return changed

    @property
    def publisher(self) -> str:
        """Whose word the document is, canonical: the owner of the data NFT who has written it. "" if somebody else
        wrote the newest version: an NFT can be given away, and its new owner did not choose the files."""
        return publisher_of({"nft": {"owner": self.nft.owner} if self.nft is not None else None, "event": self.event})

    def document(self) -> dict[str, Any]:
        """The document as it was received, a copy."""
        return copy.deepcopy(self.shared())

    def shared(self) -> dict[str, Any]:
        """The same, not a copy: whoever only reads it saves most of the cost."""
        if self._document is None:
            return self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return self._document

    def service(self, service_id: str) -> Service | None:
        """The first service with this id."""
        index = self.service_index(service_id)
        return None if index is None else self.services[index]

    def service_index(self, service_id: str) -> int | None:
        """Position of the first service with this id: the service index that orders carry."""
        for index, service in enumerate(self.services):
            if service.id == service_id:
                return index
        return None


def publisher_of(document: Mapping[str, Any]) -> str:
    """`DDO.publisher` of a document as an index has completed it."""
    nft, event = document.get("nft"), document.get("event")
    owner = nft.get("owner") if isinstance(nft, dict) else None
    writer = event.get("from") if isinstance(event, dict) else owner
    if not isinstance(owner, str) or not isinstance(writer, str) or writer.lower() != owner.lower():
        return ""
    return owner.lower()


def _loaded(source: bytes | str) -> dict[str, Any]:
    try:
        document = json.loads(source, parse_constant=no_constant)
    except (ValueError, TypeError, RecursionError):
        raise DDOMalformed("JSON") from None
    if not isinstance(document, dict):
        raise DDOMalformed("document")
    return document
