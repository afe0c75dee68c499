"""A publisher's transactions: two publish an asset (NFT with datatoken, then its metadata), a third mints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from eth_account.signers.local import LocalAccount

from ocean.addresses import ZERO, checksum
from ocean.chain.contracts import Event, event
from ocean.chain.logs import Receipt
from ocean.chain.metadata import COMPRESSED, ENCRYPTED, PackedDocument, pack
from ocean.chain.network import Network
from ocean.chain.transactions import Call, account_of, send
from ocean.ddo import DDO, UNBOUND_VERSION
from ocean.did import did_of
from ocean.files import File
from ocean.kit.compact_json import compact_utf8
from ocean.metadata_proof import MetadataProof

UNLIMITED = 2**256 - 1

# Encrypts bytes for the provider that will serve the asset: for example its `encrypt` endpoint.
Encryption = Callable[[bytes], Awaitable[bytes]]

_NFT_CREATED = event("ERC721Factory", "NFTCreated")
_TOKEN_CREATED = event("ERC721Factory", "TokenCreated")


@dataclass(frozen=True)
class AssetDraft:
    """What a publisher says of a new asset with one service.

    service: `access` or `compute`. timeout: seconds an order stays valid, 0 for ever. compute: the section of a compute
    service, what is missing becomes the strictest value. algorithm: `metadata.algorithm` of an algorithm. version: of
    the document; with 4.0.0 the files are not bound to the asset. template: 1, or 2 (enterprise, burns datatokens).
    release: what may leave of a job, in camel case; services carry it as additional information.
    """

    name: str
    files: Sequence[File]
    type: Literal["dataset", "algorithm"] = "dataset"
    service: Literal["access", "compute"] = "compute"
    description: str = "Published for compute to data"
    author: str = "unknown"
    license: str = "CC0-1.0"
    timeout: int = 86_400
    compute: Mapping[str, Any] = field(default_factory=dict)
    algorithm: Mapping[str, Any] | None = None
    credentials: Mapping[str, Any] = field(default_factory=lambda: {"allow": [], "deny": []})
    consumer_parameters: Sequence[Mapping[str, Any]] = ()
    service_id: str = "main"
    version: str = "4.1.0"
    template: Literal[1, 2] = 1
    additional_information: Mapping[str, Any] = field(default_factory=dict)
    release: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    categories: Sequence[str] = ()


async def publish_asset(
    network: Network,
    key: LocalAccount | str,
    draft: AssetDraft,
    *,
    provider_url: str,
    encrypt: Encryption,
    flags: int = COMPRESSED | ENCRYPTED,
) -> DDO:
    """Publish a draft and answer its document as it lies on chain. `flags` as in `metadata`: 0 plain … 3 both.

    Raises TransactionFailed, ChainUnavailable, and what `encrypt` raises.
    """
    nft, datatoken = await create_nft(network, key, draft.name, template=draft.template)
    files = await encrypt(compact_utf8(_file_list(draft, nft, datatoken)))
    document = document_of(draft, network.chain_id, nft, datatoken, provider_url, "0x" + files.hex())
    await set_metadata(network, key, nft, document, provider_url=provider_url, encrypt=encrypt, flags=flags)
    return DDO.parse(document)


async def create_nft(
    network: Network, key: LocalAccount | str, name: str, *, symbol: str = "C2D", template: int = 1
) -> tuple[str, str]:
    """A data NFT with one datatoken, both owned by `key`: their checksum addresses."""
    owner = account_of(key).address
    nft = (name, symbol, 1, "", True, owner)
    token: tuple[Any, ...] = (template, [name, symbol], [owner, owner, ZERO, network.ocean], [UNLIMITED, 0], [])
    call = network.function("ERC721Factory", network.factory, "createNftWithErc20", nft, token)
    receipt = await send(network, key, call)
    return created_nft(receipt), created_datatoken(receipt)


def nft_for(network: Network, name: str, symbol: str, *, owner: str, maker: str) -> Call:
    """The transaction that makes a data NFT of `owner`, in which `maker` may make datatokens and write metadata, until
    he leaves (`leaving`). A transfer instead would take the owner's rights in the datatokens: measured."""
    return network.function(
        "ERC721Factory", network.factory, "deployERC721Contract", name, symbol, 1, maker, maker, "", True, owner
    )


def datatoken_of(network: Network, nft: str, name: str, symbol: str, *, owner: str) -> Call:
    """The transaction that adds a datatoken which `owner` mints and is paid for."""
    given: tuple[Any, ...] = (1, [name, symbol], [owner, owner, ZERO, network.ocean], [UNLIMITED, 0], [])
    return network.function("ERC721Template", nft, "createERC20", *given)


def leaving(network: Network, nft: str, maker: str) -> tuple[Call, Call]:
    """The transactions with which `maker` gives back the rights that `nft_for` gave him."""
    return (
        network.function("ERC721Template", nft, "removeFromMetadataList", maker),
        network.function("ERC721Template", nft, "removeFromCreateERC20List", maker),
    )


def created_nft(receipt: Receipt) -> str:
    """Checksum address of the data NFT that a transaction has made."""
    return _created(receipt, _NFT_CREATED)


def created_datatoken(receipt: Receipt) -> str:
    """Checksum address of the datatoken that a transaction has made."""
    return _created(receipt, _TOKEN_CREATED)


async def set_metadata(
    network: Network,
    key: LocalAccount | str,
    nft: str,
    document: Mapping[str, Any],
    *,
    provider_url: str,
    encrypt: Encryption | None = None,
    flags: int = COMPRESSED,
    state: int = 0,
) -> str:
    """Write or replace an asset's document; the transaction hash."""
    plain = compact_utf8(document)
    packed = pack(plain, flags & ~ENCRYPTED)
    if flags & ENCRYPTED:
        if encrypt is None:
            raise ValueError("encryption was asked for, but no way to encrypt was given")
        packed = PackedDocument(bytes([flags]), await encrypt(packed.data), packed.digest)
    return await set_packed(network, key, nft, packed, provider_url=provider_url, state=state)


async def set_packed(
    network: Network,
    key: LocalAccount | str,
    nft: str,
    packed: PackedDocument,
    *,
    provider_url: str,
    state: int = 0,
    proofs: Sequence[MetadataProof] = (),
) -> str:
    """Write bytes that are packed already; the contract checks nothing of them but that `proofs` are of their hash.

    Raises TransactionFailed.
    """
    call = metadata_of(
        network, nft, packed, publisher=account_of(key).address, provider_url=provider_url, state=state, proofs=proofs
    )
    return (await send(network, key, call)).tx_hash


def metadata_of(
    network: Network,
    nft: str,
    packed: PackedDocument,
    *,
    publisher: str,
    provider_url: str,
    state: int = 0,
    proofs: Sequence[MetadataProof] = (),
) -> Call:
    """The transaction that writes or replaces an asset's document."""
    proven = [proof.tuple() for proof in proofs]
    values: tuple[Any, ...] = (state, provider_url, publisher, packed.flags, packed.data, packed.digest, proven)
    return network.function("ERC721Template", nft, "setMetaData", *values)


async def mint(network: Network, key: LocalAccount | str, datatoken: str, to: str, amount: int = 10**18) -> str:
    """`amount` in base units: 10^18 pay one order."""
    call = network.function("ERC20Template", datatoken, "mint", checksum(to), amount)
    return (await send(network, key, call)).tx_hash


def _file_list(draft: AssetDraft, nft: str, datatoken: str) -> Any:
    files = [file.to_json() for file in draft.files]
    if draft.version == UNBOUND_VERSION:
        return files
    return {"datatokenAddress": datatoken, "nftAddress": nft, "files": files}


def document_of(
    draft: AssetDraft, chain_id: int, nft: str, datatoken: str, provider_url: str, files: str
) -> dict[str, Any]:
    """The draft's DDO; `files` as they stand in it, encrypted."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    metadata: dict[str, Any] = {
        "created": now,
        "updated": now,
        "name": draft.name,
        "type": draft.type,
        "description": draft.description,
        "author": draft.author,
        "license": draft.license,
    }
    if draft.tags:
        metadata["tags"] = list(draft.tags)
    if draft.categories:
        metadata["categories"] = list(draft.categories)
    if draft.additional_information:
        metadata["additionalInformation"] = dict(draft.additional_information)
    if draft.algorithm is not None:
        metadata["algorithm"] = dict(draft.algorithm)
    service: dict[str, Any] = {
        "id": draft.service_id,
        "type": draft.service,
        "files": files,
        "datatokenAddress": datatoken,
        "serviceEndpoint": provider_url,
        "timeout": draft.timeout,
    }
    if draft.consumer_parameters:
        service["consumerParameters"] = [dict(parameter) for parameter in draft.consumer_parameters]
    if draft.release:
        service["additionalInformation"] = {"release": draft.release}
    if draft.service == "compute":
        service["compute"] = {
            "allowRawAlgorithm": False,
            "allowNetworkAccess": False,
            "publisherTrustedAlgorithms": [],
            "publisherTrustedAlgorithmPublishers": [],
            **draft.compute,
        }
    return {
        "@context": ["https://w3id.org/did/v1"],
        "id": did_of(nft, chain_id),
        "version": draft.version,
        "chainId": chain_id,
        "nftAddress": nft,
        "metadata": metadata,
        "services": [service],
        "credentials": dict(draft.credentials),
    }


def _created(receipt: Receipt, kind: Event) -> str:
    """The new contract's address, from the factory's log of this kind."""
    log = next(log for log in receipt.logs if log.topics[0] == kind.topic)
    return checksum(kind.decode(log)["newTokenAddress"])
