"""Outputs become an asset of the job's owner: a second copy in the store, a data NFT, a datatoken, a document.

Nothing is made twice, whatever dies: the token under which the files are served and every signed transaction are in the
journal before they are used (`pods.publishing.journal`, `ocean.chain.resumable`). The owner has the NFT and mints the
datatoken from the first block on; the account that pays leaves when the document is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace

from eth_account.signers.local import LocalAccount
from obstore.exceptions import BaseError

from contract.manifest import MANIFEST_NAME, Manifest
from contract.provenance import outputs_digest
from ocean.addresses import AddressInvalid, checksum
from ocean.chain.errors import ChainUnavailable
from ocean.chain.metadata import COMPRESSED, ENCRYPTED, pack
from ocean.chain.network import Network, NetworkMisconfigured
from ocean.chain.publishing import (
    AssetDraft,
    created_datatoken,
    created_nft,
    datatoken_of,
    document_of,
    leaving,
    metadata_of,
    nft_for,
)
from ocean.chain.resumable import PAUSE_SECONDS, OutOfGas, Resumable
from ocean.chain.transactions import TransactionFailed, TransactionUnconfirmed
from ocean.did import did_of
from ocean.ecies import encrypt
from ocean.file_lists import encode_files
from ocean.files import UrlFile
from ocean.kit.compact_json import compact_utf8
from ocean.kit.patience import ask_patiently
from pods.publication import MAX_FILES, Outcome, Problem, Wish, published_url
from pods.publishing.facts import Facts, FactsInvalid, read_facts
from pods.publishing.journal import Journal, opened
from pods.publishing.names import shown
from pods.publishing.upload import Failed, Uploaded, Uploader, result_files
from pods.settings import PublicationSettings, PublishingSettings
from pods.step_log import StepLog
from results.object_names import asset_folder
from results.store import Store, cause_of, put_object

SYMBOL = "C2D"
_NFT_NAME = 100  # characters of the asset's name that the NFT is given; its document has all of them


class _NotMade(Exception):
    def __init__(self, problem: Problem, text: str) -> None:
        super().__init__(text)
        self.problem = problem


def make_asset(
    settings: PublishingSettings,
    publication: PublicationSettings,
    store: Store,
    wish: Wish,
    results: Sequence[Uploaded | Failed],
    log: StepLog,
    end: float,
) -> Outcome:
    """Make the asset, or finish what was begun. Its outputs are those of `results` that were published. The chain is
    waited for as long as the deployment says, but not after `end` (of `time.monotonic`)."""
    try:
        facts, account = read_facts(publication.facts, publication.chain_id)
        outputs = _outputs(results)
        with opened(settings.volume.publication, settings.job_id) as journal:
            if not journal.copied:
                _copy(settings, store, journal, outputs)
                log.say(f"the {len(outputs)} outputs are kept for the asset")
                journal.note_copied()
            draft = _draft(settings.job_id, wish, facts, journal.token, outputs)
            end = min(end, time.monotonic() + facts.patience_seconds)
            did = asyncio.run(_on_chain(facts, account, wish, draft, journal, log, end))
    except FactsInvalid as exc:
        return _not_made(log, "misconfigured", str(exc))
    except _NotMade as exc:
        return _not_made(log, exc.problem, str(exc))
    log.say(f"the outputs are the asset {did} of {wish.owner}")
    return Outcome(did=did)


def _outputs(results: Sequence[Uploaded | Failed]) -> list[Uploaded]:
    """Raises _NotMade for none, or more than an asset can have."""
    outputs = [result for result in results if isinstance(result, Uploaded) and result.source.path[:8] == b"outputs/"]
    if not outputs:
        raise _NotMade("no_outputs", "there are no outputs")
    if len(outputs) > MAX_FILES:
        raise _NotMade("too_many_outputs", f"there are {len(outputs)} outputs, an asset has at most {MAX_FILES}")
    return outputs


def _not_made(log: StepLog, problem: Problem, text: str) -> Outcome:
    log.say(f"the results are published, but no asset is made of them: {text}")
    return Outcome(problem=problem)


def _copy(settings: PublishingSettings, store: Store, journal: Journal, outputs: Sequence[Uploaded]) -> None:
    """Put the outputs into the folder of the asset, and a manifest of them last."""
    folder = asset_folder(journal.token)
    uploader = Uploader(store, folder, parallel=settings.parallel_uploads, reserve_bytes=settings.reserve_bytes)
    numbered = [replace(output.source, path=str(index).encode()) for index, output in enumerate(outputs)]
    kept: list[Uploaded] = []
    for output, copied in zip(outputs, uploader.upload_all(numbered, lambda _: None), strict=True):
        if isinstance(copied, Failed):
            raise _NotMade("store_failed", f"the copy of an output did not reach the store ({copied.cause})")
        if copied.sha256 != output.sha256:
            raise _NotMade("failed", "an output has changed since it was published")
        kept.append(replace(copied, source=output.source))
    files, _ = result_files(kept)
    manifest = Manifest(job_id=folder, created=int(time.time()), complete=True, files=files).encoded()
    try:
        put_object(store, f"{folder}/{MANIFEST_NAME}", [manifest], most=len(manifest))
    except (BaseError, OSError, ValueError) as exc:
        raise _NotMade(
            "store_failed", f"the list of the asset's files did not reach the store ({cause_of(exc)})"
        ) from exc


def _draft(job_id: str, wish: Wish, facts: Facts, token: str, outputs: Sequence[Uploaded]) -> AssetDraft:
    said = wish.metadata
    base = facts.files_url or facts.provider_url
    names = [shown(output.source.path).rpartition("/")[2] for output in outputs]
    return AssetDraft(
        name=said.name or f"Results of compute job {job_id}",
        description=said.description or f"What the algorithm of compute job {job_id} wrote",
        author=said.author or wish.owner,
        license=said.license or "not stated",
        tags=said.tags,
        categories=said.categories,
        files=[UrlFile(published_url(base, token, index, name)) for index, name in enumerate(names)],
        service=said.service,
        timeout=0,
        additional_information={
            "computeToData": {
                "jobId": job_id,
                "algorithm": wish.algorithm,
                "datasets": list(wish.datasets),
                "outputsDigest": outputs_digest((shown(output.source.path), output.sha256) for output in outputs),
            }
        },
    )


async def _on_chain(
    facts: Facts, account: LocalAccount, wish: Wish, draft: AssetDraft, journal: Journal, log: StepLog, end: float
) -> str:
    """The asset's DID. Raises _NotMade."""
    began = time.monotonic()
    network = await _network(facts, end)
    try:
        steps = Resumable(
            network,
            account,
            journal,
            mark=hashlib.sha256(f"transactions for {journal.token}".encode()).digest(),
            confirmations=facts.confirmations,
            patience_seconds=end - time.monotonic(),
        )
        owner, name = checksum(wish.owner), draft.name[:_NFT_NAME]
        nft = created_nft(
            await steps.perform("nft", nft_for(network, name, SYMBOL, owner=owner, maker=account.address))
        )
        log.say(f"the data NFT is {nft}")
        receipt = await steps.perform("datatoken", datatoken_of(network, nft, name, SYMBOL, owner=owner))
        datatoken = created_datatoken(receipt)
        files = encode_files(draft.files, datatoken, nft, facts.provider_public_key)
        document = compact_utf8(
            document_of(draft, network.chain_id, nft, datatoken, facts.provider_url, files),
        )
        packed = pack(document, COMPRESSED | ENCRYPTED, lambda plain: encrypt(facts.provider_public_key, plain))
        written = metadata_of(network, nft, packed, publisher=account.address, provider_url=facts.provider_url)
        await steps.perform("metadata", written)
        await _leave(steps, network, nft, account, log)
        return did_of(nft, network.chain_id)
    except AddressInvalid as exc:
        raise _NotMade("refused", "the job's owner has no address") from exc
    except OutOfGas as exc:
        raise _NotMade("out_of_gas", exc.reason) from exc
    except TransactionFailed as exc:
        raise _NotMade("refused", f"a contract refused ({exc.reason})") from exc
    except TransactionUnconfirmed as exc:
        raise _NotMade("unconfirmed", f"a transaction is not mined after {time.monotonic() - began:.0f} s") from exc
    except ChainUnavailable as exc:
        raise _NotMade("chain_away", str(exc)) from exc
    finally:
        await network.close()


async def _leave(steps: Resumable, network: Network, nft: str, account: LocalAccount, log: StepLog) -> None:
    """The asset is there; that the account which paid keeps rights in it is told, and no reason to deny the asset."""
    try:
        for number, call in enumerate(leaving(network, nft, account.address), start=1):
            await steps.perform(f"leave {number}", call)
    except (TransactionFailed, TransactionUnconfirmed, ChainUnavailable) as exc:
        log.say(f"{account.address}, which paid, has not given back its rights in the asset ({type(exc).__name__})")


async def _network(facts: Facts, end: float) -> Network:
    """Raises _NotMade."""

    async def ask() -> Network:
        return await Network.open(facts.rpc_url, facts.addresses, chain_id=facts.chain_id)

    try:
        return await ask_patiently(ask, ChainUnavailable, end=end, pause_seconds=PAUSE_SECONDS)
    except NetworkMisconfigured as exc:
        raise _NotMade("misconfigured", str(exc)) from exc
    except ChainUnavailable as exc:
        raise _NotMade("chain_away", str(exc)) from exc
