"""`c2d verify` and `c2d crate`: files against the passport of the job that they come from. The rules are in
`records.verify`; a crate is made of verified files only."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import typer

from ocean.addresses import AddressInvalid, checksum
from ocean.chain.errors import ChainUnavailable
from ocean.chain.fee_takers import fee_takers
from ocean.chain.node import Node, connected
from ocean.kit.atomic import replace_file
from provider_api.cli.text import Unusable, bounded_object
from records.crate import CRATE_NAME, LocalFile, crate_of
from records.passport import PASSPORT_NAME
from records.verify import NotVerified, Passport, Verified, agreed_order, read_passport, require_paid, verify

SECONDS = 20.0  # for each neighbour that is asked
MOST_ANSWER_BYTES = 1 << 20
_UNTRUSTED = (
    "say whom you trust: --signer ADDRESS, the account of the provider that ran the job, or --provider URL, the address"
    " of its service, which names its accounts. This passport is signed by {}"
)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the caller trusts, and which node of a chain shall be asked."""

    signers: tuple[str, ...] = ()
    provider: str | None = None
    chain: str | None = None


def verify_files(given: Sequence[Path], passport: Path | None, trust: Trust) -> int:
    """Print what is proven. Exit code: 0 only if all files are of the passport and its signer is trusted; 1 if not; 2
    where it cannot be told."""
    return _carried_out(lambda: _tell(_checked(_files(given), passport, trust)))


def make_crate(folder: Path, passport: Path | None, trust: Trust) -> int:
    """Verify a folder and describe it as a research object, in a file of its own there. Exit codes as above."""
    return _carried_out(lambda: _describe(folder, passport, trust))


def _carried_out(work: Callable[[], None]) -> int:
    try:
        work()
    except NotVerified as exc:
        typer.echo(f"NOT VERIFIED: {exc} (rule {exc.rule})", err=True)
        return 1
    except (Unusable, OSError, ChainUnavailable, httpx.HTTPError) as exc:
        typer.echo(f"cannot be verified: {exc}", err=True)
        return 2
    return 0


def _describe(folder: Path, passport: Path | None, trust: Trust) -> None:
    files = _files([folder])
    proof = passport or _found(files)
    if not proof.resolve().is_relative_to(folder.resolve()):
        raise Unusable(f"the passport is a part of the crate: put it into {folder}")
    checked = _checked(files, proof, trust)
    crate = crate_of(
        checked.verified.passport.statement,
        checked.proof,
        {name: LocalFile(subject, files[name].stat().st_size) for name, subject in checked.verified.files.items()},
        passport_name=proof.resolve().relative_to(folder.resolve()).as_posix(),
    )
    replace_file(folder / CRATE_NAME, crate)
    typer.echo(f"{folder / CRATE_NAME}: job {checked.verified.passport.job_id}, {len(checked.verified.files)} files")


@dataclass(frozen=True, slots=True)
class _Checked:
    verified: Verified
    proof: bytes  # the passport as it is in its file
    paid: bool  # a chain said that the signer was paid


def _checked(files: Mapping[str, Path], passport: Path | None, trust: Trust) -> _Checked:
    """Raises NotVerified, Unusable, OSError, ChainUnavailable, httpx.HTTPError."""
    place = passport or _found(files)
    proof = place.read_bytes()
    read = read_passport(proof)
    others = {name: file for name, file in files.items() if not file.samefile(place)}
    verified = verify(read, _digests(others), _trusted(read, trust))
    return _Checked(verified, proof, asyncio.run(_paid(verified, trust.chain)) if trust.chain is not None else False)


def _files(given: Sequence[Path]) -> dict[str, Path]:
    """Each file, and those in folders, by the name by which it is told: below the folder, if that is all there is. In
    folders a crate's own description is left out: it says nothing that the passport does not say."""
    found: dict[str, Path] = {}
    for path in given:
        if not path.is_dir():
            found[str(path)] = path
            continue
        inside = sorted(each for each in path.rglob("*") if each.is_file() and each.name != CRATE_NAME)
        found |= {str(each.relative_to(path) if len(given) == 1 else each): each for each in inside}
    return found


def _found(files: Mapping[str, Path]) -> Path:
    """Raises Unusable."""
    passports = [file for file in files.values() if file.name == PASSPORT_NAME]
    if len(passports) != 1:
        raise Unusable(f"{len(passports)} files are named {PASSPORT_NAME}; say which one with --passport")
    return passports[0]


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Raises OSError."""
    with ThreadPoolExecutor(min(32, os.cpu_count() or 1)) as pool:  # digests are taken without Python's lock
        return dict(zip(files, pool.map(_digest, files.values()), strict=True))


def _digest(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _trusted(passport: Passport, trust: Trust) -> list[str]:
    """Checksum addresses. Raises Unusable, httpx.HTTPError."""
    try:
        found: list[str] = [checksum(signer) for signer in trust.signers]
    except AddressInvalid:
        raise Unusable(f"--signer: {', '.join(trust.signers)} is no address") from None
    if trust.provider is not None:
        found += _accounts_of(trust.provider)
    if not found:
        raise Unusable(_UNTRUSTED.format(", ".join(passport.signers)))
    return found


def _accounts_of(url: str) -> list[str]:
    """What the root document of a service names. Raises Unusable, httpx.HTTPError."""
    with httpx.Client(timeout=SECONDS) as client, client.stream("GET", url) as answer:
        answer.raise_for_status()
        content = bytearray()
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > MOST_ANSWER_BYTES:
                raise Unusable(f"{url} answers with more than any service does")
    try:
        document = bounded_object(bytes(content))
        named = [document.get("providerAddress"), *(document.get("providerAddresses") or {}).values()]
        found: list[str] = [checksum(each) for each in named if each]
    except (ValueError, AttributeError, TypeError):  # AddressInvalid is a ValueError
        found = []
    if not found:
        raise Unusable(f"{url} does not answer as a provider does: its root document names no account")
    return found


async def _paid(verified: Verified, url: str) -> bool:
    """Raises NotVerified, ChainUnavailable, Unusable."""
    order = agreed_order(verified.passport)
    node = Node(await connected(url))
    try:
        if node.chain_id != order.chain_id:
            raise Unusable(f"the order is on chain {order.chain_id}, and this node is of chain {node.chain_id}")
        require_paid(verified, await fee_takers(node, order.did, order.order))
    finally:
        await node.close()
    return True


def _tell(checked: _Checked) -> None:
    verified = checked.verified
    typer.echo(f"job {verified.passport.job_id}, signed by {verified.signer}")
    for name, subject in verified.files.items():
        typer.echo(f"  ✔ {name}: {subject.name}")
    if checked.paid:
        typer.echo("  ✔ the order that the passport names paid its fee to the signer")
    typer.echo(f"{len(verified.files)} files are as this job released them. Not proven is")
    for text in verified.not_proven:
        typer.echo(f"  - {text}")
