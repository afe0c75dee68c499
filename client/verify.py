"""`c2d verify` and `c2d crate`: files against the passport of the job that they come from. The rules are in
`records.verify`; a crate is made of verified files only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.exits import Exit, Unusable
from client.printing import Printer
from ocean.addresses import AddressInvalid, checksum
from ocean.kit.atomic import replace_file
from records.crate import CRATE_NAME, LocalFile, crate_of
from records.passport import PASSPORT_NAME
from records.verify import NotVerified, Passport, Verified, read_passport, verify

_SMALL_BYTES, _PIECE_BYTES = 96 << 10, 1 << 20  # what is read at first of a file, and then
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


def verify_files(given: Sequence[Path], passport: Path | None, trust: Trust, *, as_json: bool = False) -> Exit:
    """Print what is proven. The exit code: DONE only if all files are of the passport and its signer is trusted; FAILED
    if not; USAGE where it cannot be told."""
    printer = Printer(as_json=as_json)
    return _carried_out(printer, lambda: _tell(printer, _checked(_files(given), passport, trust)))


def make_crate(folder: Path, passport: Path | None, trust: Trust, *, as_json: bool = False) -> Exit:
    """Verify a folder and describe it as a research object, in a file of its own there. Exit codes as above."""
    printer = Printer(as_json=as_json)
    return _carried_out(printer, lambda: _describe(printer, folder, passport, trust))


def _carried_out(printer: Printer, work: Callable[[], None]) -> Exit:
    try:
        work()
    except NotVerified as exc:
        printer.trouble(f"NOT VERIFIED: {exc} (rule {exc.rule})", Exit.FAILED)
        return Exit.FAILED
    except (Unusable, OSError) as exc:
        printer.trouble(f"cannot be verified: {exc}", Exit.USAGE)
        return Exit.USAGE
    return Exit.DONE


def _describe(printer: Printer, folder: Path, passport: Path | None, trust: Trust) -> None:
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
    place = folder / CRATE_NAME
    replace_file(place, crate)
    if printer.as_json:
        printer.document({"crate": str(place), **_document(checked)})
    else:
        printer.text(f"{place}: job {checked.verified.passport.job_id}, {len(checked.verified.files)} files")


@dataclass(frozen=True, slots=True)
class _Checked:
    verified: Verified
    proof: bytes  # the passport as it is in its file
    paid: bool  # a chain said that the signer was paid


def _checked(files: Mapping[str, Path], passport: Path | None, trust: Trust) -> _Checked:
    """Raises NotVerified, Unusable, OSError."""
    place = passport or _found(files)
    proof = place.read_bytes()
    read = read_passport(proof)
    others = {name: file for name, file in files.items() if not file.samefile(place)}
    verified = verify(read, _digests(others), _trusted(read, trust))
    if trust.chain is not None:
        from client.asked import require_paid_on  # web3: it takes longer than a thousand files

        require_paid_on(trust.chain, verified)
    return _Checked(verified, proof, paid=trust.chain is not None)


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
    """SHA-256 of each file, lower-case hex. Raises OSError."""
    workers = min(32, os.cpu_count() or 1)  # digests are taken without Python's lock
    names = list(files)
    parts = [names[place::workers] for place in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(lambda part: {name: _digest(files[name]) for name in part}, parts))
    taken = {name: digest for part in found for name, digest in part.items()}
    return {name: taken[name] for name in names}


def _digest(path: Path) -> str:
    """A small file is one read, and another one that finds its end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        digest, most = hashlib.sha256(), _SMALL_BYTES
        while piece := os.read(descriptor, most):
            digest.update(piece)
            most = _PIECE_BYTES
        return digest.hexdigest()
    finally:
        os.close(descriptor)


def _trusted(passport: Passport, trust: Trust) -> list[str]:
    """Checksum addresses. Raises Unusable."""
    try:
        found: list[str] = [checksum(signer) for signer in trust.signers]
    except AddressInvalid:
        raise Unusable(f"--signer: {', '.join(trust.signers)} is no address") from None
    if trust.provider is not None:
        from client.asked import accounts_of

        found += accounts_of(trust.provider)
    if not found:
        raise Unusable(_UNTRUSTED.format(", ".join(passport.signers)))
    return found


def _tell(printer: Printer, checked: _Checked) -> None:
    if printer.as_json:
        printer.document(_document(checked))
        return
    verified = checked.verified
    printer.text(f"job {verified.passport.job_id}, signed by {verified.signer}")
    for name, subject in verified.files.items():
        printer.text(f"  ✔ {name}: {subject.name}")
    if checked.paid:
        printer.text("  ✔ the order that the passport names paid its fee to the signer")
    printer.text(f"{len(verified.files)} files are as this job released them. Not proven is")
    for text in verified.not_proven:
        printer.text(f"  - {text}")


def _document(checked: _Checked) -> dict[str, Any]:
    verified = checked.verified
    files = [{"path": path, "name": subject.name, "sha256": subject.sha256} for path, subject in verified.files.items()]
    return {
        "jobId": verified.passport.job_id,
        "signer": verified.signer,
        "files": files,
        "orderPaid": checked.paid,
        "notProven": list(verified.not_proven),
    }


def digests_verified(passport: bytes, digests: Mapping[str, str], signers: Sequence[str]) -> str:
    """The signer of a passport of files whose SHA-256 digests are known. Raises NotVerified."""
    return verify(read_passport(passport), digests, [checksum(signer) for signer in signers]).signer
