"""`c2d publish`, `publish-algorithm`, `trust`, `asset`: a publisher's transactions, and what he reads before them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from eth_account.signers.local import LocalAccount

from client.assets.drafts import Description
from client.exits import Exit, Refused, Unreachable, Unusable
from client.printing import Printer
from client.session import Session, said_of
from ocean.addresses import canonical, is_address
from ocean.chain.metadata import COMPRESSED, ENCRYPTED
from ocean.chain.network import Network
from ocean.chain.offers import find_offer, give_away, sell
from ocean.chain.publishing import AssetDraft, publish_asset, set_metadata
from ocean.chain.transactions import send
from ocean.ddo import DDO
from ocean.kit.together import together
from ocean.trust import container_checksum, files_checksum

# What a data NFT says of its asset (ERC721Template.setMetaDataState).
STATES: Final = ("active", "end-of-life", "deprecated", "revoked", "disabled", "unlisted")
_INDEX_SECONDS: Final = 60.0


async def publish(session: Session, printer: Printer, draft: AssetDraft, found: Description) -> Exit:
    """Publish a draft, offer it, and wait until the provider knows it. Prints its DID."""
    _require_price(found)
    network = await session.network()
    key = session.key()
    provider = session.profile.provider

    async def encrypt(plain: bytes) -> bytes:
        return await session.consumer.encrypt(plain, network.chain_id)

    with printer.status(f"publishing {draft.name}"):
        async with await session.turn():
            asset = await publish_asset(network, key, draft, provider_url=provider, encrypt=encrypt)
            datatoken = asset.services[0].datatoken_address
            offer = await _offered(network, key, datatoken, found)
        await _known(session, asset.id)
    printer.progress(f"{draft.name} is published: {offer}")
    if printer.as_json:
        printer.document(
            {"did": asset.id, "name": draft.name, "type": draft.type, "datatoken": datatoken, "price": str(found.price)}
        )
    else:
        printer.text(asset.id)
    return Exit.DONE


async def trust(session: Session, printer: Printer, dataset: str, algorithm: str, *, withdraw: bool) -> Exit:
    """Let an algorithm read a dataset, by the checksums that the provider reads of it; or no longer."""
    data, trusted = await together(session.asset(dataset), session.asset(algorithm))
    if said_of(trusted).type != "algorithm":
        raise Unusable(f"{trusted.id} is no algorithm")
    document = data.document()
    entry = {"did": trusted.id} if withdraw else await _trusted_entry(session, trusted)
    changed, before = 0, set[str]()
    for service in document["services"]:
        compute = service.get("compute")
        if service.get("type") == "compute" and isinstance(compute, dict):
            kept = [each for each in compute.get("publisherTrustedAlgorithms") or [] if each.get("did") != trusted.id]
            if withdraw and not kept and not compute.get("publisherTrustedAlgorithmPublishers"):
                # Two empty lists would let every published algorithm in.
                compute["publisherTrustedAlgorithmPublishers"] = [session.address]
            if not withdraw:
                # Both lists must allow an algorithm, so that of publishers would keep this one out.
                before |= {str(each) for each in compute.get("publisherTrustedAlgorithmPublishers") or []}
                compute["publisherTrustedAlgorithmPublishers"] = []
            compute["publisherTrustedAlgorithms"] = kept if withdraw else [*kept, entry]
            changed += 1
    if not changed:
        raise Refused(f"{data.id} has no compute service")
    await _written(session, printer, data, document)
    printer.progress(f"{trusted.id} may {'no longer ' if withdraw else ''}read {data.id}")
    if before:
        printer.progress(
            f"algorithms of {', '.join(sorted(before))} may read it no longer, unless they are trusted, too"
        )
    if printer.as_json:
        printer.document({"dataset": data.id, "algorithm": entry, "trusted": not withdraw})
    return Exit.DONE


async def show(session: Session, printer: Printer, given: str) -> Exit:
    """Print what an asset says of itself, what it costs, and who may read it."""
    asset = await session.asset(given)
    price = await _price(session, asset)
    if printer.as_json:
        printer.document({"did": asset.id, "price": price, "document": asset.document()})
        return Exit.DONE
    rows = [
        ("did", asset.id),
        ("name", said_of(asset).name),
        ("type", said_of(asset).type),
        ("description", said_of(asset).description),
        ("author", said_of(asset).author),
        ("price", price),
    ]
    for service in asset.document()["services"]:
        rows.append((f"service {service.get('id')}", f"{service.get('type')} at {service.get('serviceEndpoint')}"))
        compute = service.get("compute") or {}
        rows += [("trusts", str(each.get("did"))) for each in compute.get("publisherTrustedAlgorithms") or []]
        rows += [("trusts all of", str(each)) for each in compute.get("publisherTrustedAlgorithmPublishers") or []]
    printer.table(("", ""), rows)
    return Exit.DONE


async def edit(session: Session, printer: Printer, given: str, changes: Mapping[str, Any]) -> Exit:
    """Change name, description, author, license or tags of an asset."""
    asset = await session.asset(given)
    said = {name: value for name, value in changes.items() if value is not None}
    if not said:
        raise Unusable("nothing to change: --name, --description, --author, --license, --tag")
    document = asset.document()
    document["metadata"] |= said
    await _written(session, printer, asset, document)
    if printer.as_json:
        printer.document({"did": asset.id, "changed": sorted(said)})
    return Exit.DONE


async def set_state(session: Session, printer: Printer, given: str, state: str) -> Exit:
    """Say what an asset's data NFT says of it: whether it may be used and found."""
    if state not in STATES:
        raise Unusable(f"{state} is no state; there are {', '.join(STATES)}")
    asset = await session.asset(given)
    network, key = await session.network(), session.key()
    number = STATES.index(state)
    nft = asset.nft_address
    async with await session.turn():
        await send(network, key, network.function("ERC721Template", nft, "setMetaDataState", number))
    printer.progress(f"{asset.id} is {state} now")
    if printer.as_json:
        printer.document({"did": asset.id, "state": state})
    return Exit.DONE


async def _trusted_entry(session: Session, algorithm: DDO) -> dict[str, Any]:
    """Its checksums as the provider reads them. Raises Refused where it cannot."""
    body = {"did": algorithm.id, "serviceId": algorithm.services[0].id, "checksum": True}
    try:
        files = await session.consumer.call("fileinfo", body=body)
        digests = [str(file["checksum"]) for file in files]
        checksum = files_checksum(digests)
    except (KeyError, TypeError, ValueError):
        raise Refused(f"the provider tells no checksums of the files of {algorithm.id}") from None
    described = said_of(algorithm).algorithm
    container = described.container if described else None
    if container is None:
        raise Refused(f"{algorithm.id} does not say what it runs in")
    return {
        "did": algorithm.id,
        "filesChecksum": checksum,
        "containerSectionChecksum": container_checksum(container.entrypoint, container.checksum),
    }


async def _written(session: Session, printer: Printer, asset: DDO, document: dict[str, Any]) -> None:
    """Write a document anew, encrypted and compressed as `publish` does. Raises Refused where the account may not."""
    network, key = await session.network(), session.key()
    owner = await network.nft_owner(asset.nft_address)
    if owner is None or canonical(owner) != canonical(session.address):
        raise Refused(f"{asset.id} is of {owner}, and this account is {session.address}")
    document["metadata"]["updated"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    for added in ("event", "stats", "nft", "datatokens", "purgatory", "accessDetails"):
        document.pop(added, None)  # what metadata stores write beside the document

    async def encrypt(plain: bytes) -> bytes:
        return await session.consumer.encrypt(plain, network.chain_id)

    with printer.status("writing the document"):
        async with await session.turn():
            await set_metadata(
                network,
                key,
                asset.nft_address,
                document,
                provider_url=session.profile.provider,
                encrypt=encrypt,
                flags=COMPRESSED | ENCRYPTED,
            )
        await _known(session, asset.id, document["metadata"]["updated"])


def _require_price(found: Description) -> None:
    """Before anything is published. Raises Unusable."""
    if found.token and not is_address(found.token):
        raise Unusable(f"--token {found.token} is no address")
    if found.price == "none" or found.price == 0:
        return
    price = Decimal(found.price)
    if not price.is_finite() or not 0 < price < 10**12 or price != price.quantize(Decimal(1).scaleb(-18)):
        raise Unusable(f"{price} is no price")


async def _offered(network: Network, key: LocalAccount | str, datatoken: str, found: Description) -> str:
    """What an order of it costs from now on."""
    if found.price == "none":
        return "it is not offered: who shall use it needs a datatoken from you"
    if found.price == 0:
        await give_away(network, key, datatoken)
        return "orders cost nothing but the provider's fee"
    price = Decimal(found.price)
    await sell(network, key, datatoken, int(price.scaleb(18)), found.token)
    return f"an order costs {price:f} tokens, the exchange's fee, and the provider's"


async def _price(session: Session, asset: DDO) -> str:
    network = await session.network()
    offer = await find_offer(network, asset.services[0].datatoken_address, session.address) if asset.services else None
    if offer is None:
        return "not offered"
    if not offer.amount:
        return "0"
    decimals = await network.token_decimals(offer.base_token)
    return f"{Decimal(offer.amount).scaleb(-decimals).normalize():f} of {offer.base_token}"


async def _known(session: Session, did: str, updated: str = "") -> None:
    """Wait until the metadata store has it as it is now, so that the next command finds it. Raises Unreachable."""
    end = time.monotonic() + _INDEX_SECONDS
    while time.monotonic() < end:
        with suppress(Refused):  # not known yet
            found = await session.asset(did)
            if not updated or found.document()["metadata"].get("updated") == updated:
                return
        await asyncio.sleep(0.3)
    raise Unreachable(f"{did} is written, but the metadata store does not have it yet")
