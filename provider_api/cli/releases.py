"""`c2d releases`: the owner of a dataset sees which results wait for his decision and what is in them, and decides.

The key of his account comes from a keystore file and stays in this process: it signs the questions, which are answered
to owners only, and the decision itself. A decision names the digest of the results' manifest, so it cannot be used for
others. What the service and consumers say is bounded while it is read, checked before anything is signed, and printed
so that it can neither steer a terminal nor turn a line around.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import httpx
import typer
from eth_account import Account
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ocean.addresses import checksum, is_address
from ocean.keys import address_of
from ocean.kit.bounded_json import require_bounded
from ocean.signing import sign
from records.decision import MOST_REASON, Decision, statement_of
from records.envelope import sign_payload
from records.statement import read_object

SECONDS: Final = 20.0  # that the service may be silent
MOST_SECONDS: Final = 120.0  # that one answer may take
MOST_ANSWER_BYTES: Final = 16 << 20
MOST_ANSWER_VALUES: Final = 2_000_000
MOST_FILE_BYTES: Final = 64 << 10  # of a keystore, and of a file with a password
_LONGEST_TEXT: Final = 1000  # characters of one text that is printed
_MOST_NONCE: Final = Decimal(10) ** 300  # the service's own have at most 240 digits
_RELEASES: Final = "/api/v1/releases"
_NONCE: Final = "/api/services/nonce"


class Unusable(ValueError):
    """The command cannot be carried out; the text says why, and what to do. Exit code 2."""


class Refused(ValueError):
    """The service, or the state of the results, says no. Exit code 1."""


@dataclass(frozen=True, slots=True)
class Access:
    """Which service is asked, and the keystore of the account that asks. Without a file the password is asked for."""

    url: str
    keystore: Path
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the owner wants. `dataset`: one DID instead of all his datasets that wait. `sure`: without a question."""

    released: bool
    dataset: str | None = None
    reason: str = ""
    sure: bool = False


# --- The commands -----------------------------------------------------------------------------------------------------


def list_releases(access: Access, *, history: bool, as_document: bool) -> int:
    """Print the results that wait for this account, with `history` also those that are decided. The exit code."""

    def work(service: _Service) -> None:
        answer = service.releases(history)
        listed = _read(_List, answer).releases
        if as_document:
            typer.echo(json.dumps(answer, indent=2))
        for release in () if as_document else listed:
            _print(_lines_of_release(release))
        if not listed and not as_document:
            typer.echo("no results have waited for this account" if history else "no results wait for this account")

    return _carried_out(access, work)


def show_release(job_id: str, access: Access, *, as_document: bool) -> int:
    """Print the files of a job's results, who has to decide, and until when. The exit code."""

    def work(service: _Service) -> None:
        answer = service.release(job_id)
        release = _Shown.of(answer, job_id)
        if as_document:
            typer.echo(json.dumps(answer, indent=2))
        else:
            _print(_lines_of_shown(release))

    return _carried_out(access, work, job_id)


def decide(job_id: str, access: Access, verdict: Verdict) -> int:
    """Print what is about to be released or refused, ask, then sign and send a decision for each dataset. The exit
    code: 0 only if all of them were taken."""

    def work(service: _Service) -> None:
        release = _Shown.of(service.release(job_id), job_id)
        _print(_lines_of_shown(release))
        datasets = release.to_decide(verdict.dataset)
        verb = "release" if verdict.released else "refuse"
        typer.echo(f"{service.owner.address} is about to {verb} them as the owner of")
        _print(f"  {did}" for did in datasets)
        if not verdict.sure and not _confirmed(f"{verb.capitalize()} these results, for good?"):
            raise Refused("nothing was sent: the question was not answered with yes (--yes answers it beforehand)")
        for did in datasets:
            if release.standing != "held":
                break  # one refusal is enough, and a further decision would come too late
            release = _sent(service, release, did, verdict)
        waiting = sum(each.standing == "waiting" for each in release.datasets)
        more = f": {waiting} of {len(release.datasets)} datasets still wait for their owners' decision"
        typer.echo(f"the results are {release.standing}{more if release.standing == 'held' else ''}")

    try:
        verdict.reason.encode()
    except UnicodeEncodeError:
        return _told(Unusable("--reason is no text in UTF-8"))
    if len(verdict.reason) > MOST_REASON:
        return _told(Unusable(f"--reason has {len(verdict.reason)} characters; at most {MOST_REASON} are allowed"))
    return _carried_out(access, work, job_id)


def _sent(service: _Service, release: _Shown, did: str, verdict: Verdict) -> _Shown:
    """Where the results stand after one decision was sent. Raises Refused, Unusable."""
    decision = Decision(
        job_id=release.job_id,
        manifest_digest=release.manifest_digest,
        did=did,
        account=service.owner.address,
        released=verdict.released,
        at=int(time.time()),
        reason=verdict.reason,
    )
    try:
        after = _Shown.of(service.decide(decision), release.job_id)
        after.require_taken(decision)
    except Unusable as exc:
        look = f"c2d releases show {release.job_id}"
        raise Unusable(f"{exc}. Whether the decision on {did} arrived is not known: look with `{look}`") from None
    typer.echo(f"sent: {did} is {'released' if verdict.released else 'refused'}")
    return after


def _carried_out(access: Access, work: Callable[[_Service], None], job_id: str | None = None) -> int:
    try:
        if job_id is not None:
            _require_job(job_id)
        url = _checked_url(access.url)
        owner = _opened(access)
        # Nothing is read from the environment, as in `ocean.client`: a .netrc would send its passwords along.
        with httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as http:
            work(_Service(url, owner, http))
    except (Refused, Unusable) as exc:
        return _told(exc)
    return 0


def _told(trouble: Refused | Unusable) -> int:
    typer.echo(_harmless(str(trouble), longest=2 * _LONGEST_TEXT), err=True)
    return 1 if isinstance(trouble, Refused) else 2


def _require_job(job_id: str) -> None:
    """Raises Unusable."""
    if re.fullmatch(r"[0-9a-f]{32}", job_id, re.ASCII) is None:
        raise Unusable(f"{job_id} is no job's id: 32 hexadecimal digits in small letters are expected")


def _confirmed(question: str) -> bool:
    """Also without anybody who could answer: then it is a no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        typer.echo()
        return False


# --- The key ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Owner:
    """`address`: checksum address; the key is never shown."""

    address: str
    key: bytes = field(repr=False)


def _opened(access: Access) -> _Owner:
    """The account in the keystore. Raises Unusable, whose text has neither key nor password."""
    place = access.keystore
    try:
        keystore = _object(_content(place, "the keystore"))
    except ValueError as exc:
        raise exc if isinstance(exc, Unusable) else _no_keystore(place) from None
    keystore = {name.lower(): value for name, value in keystore.items()}
    if keystore.get("version") != 3 or not isinstance(keystore.get("crypto"), dict):
        raise _no_keystore(place)
    password = _password(access)
    try:
        key = bytes(Account.decrypt(keystore, password))
        address = address_of(key)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError):
        raise Unusable(f"{place} does not open: the password is wrong, or the file is damaged") from None
    said = keystore.get("address")
    if isinstance(said, str) and is_address(said) and checksum(said) != address:
        raise Unusable(f"{place} is damaged: it says that it is of {checksum(said)}, and its key is of {address}")
    return _Owner(address, key)


def _no_keystore(place: Path) -> Unusable:
    return Unusable(f"{place} is no keystore: an Ethereum keystore file of version 3, as geth writes it, is expected")


def _password(access: Access) -> str:
    """Raises Unusable."""
    if access.password_file is None:
        try:
            question = f"Password of {_harmless(str(access.keystore))}"
            return str(typer.prompt(question, default="", show_default=False, hide_input=True, err=True))
        except typer.Abort:
            raise Unusable("no password was given; a file with it can be named by --password-file") from None
    try:
        text = _content(access.password_file, "the password's file").decode()
    except UnicodeDecodeError:
        raise Unusable(f"{access.password_file} is no text in UTF-8, so it is no password's file") from None
    return text.removesuffix("\n").removesuffix("\r")


def _content(path: Path, what: str) -> bytes:
    """Raises Unusable."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_FILE_BYTES + 1)
    except OSError as exc:
        raise Unusable(f"{what} {path} cannot be read: {exc.strerror or type(exc).__name__}") from None
    if len(content) > MOST_FILE_BYTES:
        raise Unusable(f"{what} {path} is larger than {MOST_FILE_BYTES} bytes; name the right file")
    return content


# --- The service ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Service:
    """The calls of a service as one owner makes them. All of them raise Refused and Unusable."""

    url: str
    owner: _Owner
    http: httpx.Client

    def releases(self, history: bool) -> dict[str, Any]:
        return self._send("GET", _RELEASES, self._signed() | ({"history": "true"} if history else {}))

    def release(self, job_id: str) -> dict[str, Any]:
        return self._send("GET", f"{_RELEASES}/{job_id}", self._signed(job_id))

    def decide(self, decision: Decision) -> dict[str, Any]:
        """The signature in the envelope is the authentication: no nonce is needed."""
        body = sign_payload(statement_of(decision).encoded(), self.owner.key).encoded()
        return self._send("PUT", f"{_RELEASES}/{decision.job_id}", {}, body)

    def _signed(self, job_id: str = "") -> dict[str, str]:
        """The query of a signed call, with the nonce after the one that the service knows."""
        answer = self._send("GET", _NONCE, {"userAddress": self.owner.address})
        try:
            known = Decimal(str(answer.get("nonce")))
        except InvalidOperation:
            known = Decimal(-1)
        if not (known.is_finite() and 0 <= known < _MOST_NONCE):
            raise Unusable(f"{self.url} does not answer as a provider does: it says no nonce")
        nonce = int(known) + 1
        text = f"releases{self.owner.address}{job_id}{nonce}"
        return {
            "consumerAddress": self.owner.address,
            "nonce": str(nonce),
            "signature": sign(text, self.owner.key),
        }

    def _send(self, method: str, path: str, query: Mapping[str, str], content: bytes | None = None) -> dict[str, Any]:
        headers = {"accept": "application/json", "accept-encoding": "identity"}  # what is compressed has no bound
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            with self.http.stream(
                method, self.url + path, params=dict(query), content=content, headers=headers
            ) as answer:
                body = self._bounded(answer)
        except httpx.HTTPError as exc:
            raise Unusable(f"{self.url} does not answer: {str(exc) or type(exc).__name__}") from None
        if answer.is_redirect:
            raise Unusable(
                f"{self.url} answers with a redirect ({answer.status_code}), and none is followed: give the address"
                " that it leads to as --url"
            )
        if not answer.is_success:
            said = f"{_words(body)} ({answer.status_code})"
            if answer.is_client_error:
                raise Refused(f"the service refuses: {said}")
            wait = answer.headers.get("retry-after", "")
            raise Unusable(f"the service cannot answer: {said}; try again{f' in {wait} seconds' if wait else ' later'}")
        try:
            return _object(body)
        except ValueError:
            raise Unusable(f"{self.url} does not answer as a provider does: {path} is no JSON object") from None

    def _bounded(self, answer: httpx.Response) -> bytes:
        """Raises Unusable while it is read, and httpx.HTTPError."""
        body, end = bytearray(), time.monotonic() + MOST_SECONDS
        for piece in answer.iter_raw():
            body += piece
            if len(body) > MOST_ANSWER_BYTES:
                raise Unusable(f"{self.url} answers with more than {MOST_ANSWER_BYTES} bytes, which no service does")
            if time.monotonic() > end:
                raise Unusable(f"{self.url} takes more than {MOST_SECONDS:.0f} seconds for one answer")
        return bytes(body)


def _checked_url(given: str) -> str:
    """Raises Unusable. What was given is not repeated: a password may be in it."""
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or set(given) & set("@?#"):
        raise Unusable(
            "--url is not the address of a service: http:// or https://, a host and perhaps a path are expected,"
            " without user, query and fragment"
        )
    return str(url).rstrip("/")


def _object(content: bytes) -> dict[str, Any]:
    """A JSON object of bounded depth, without a key that stands there twice. Raises ValueError."""
    found = read_object(content, "it")
    require_bounded(found, max_values=MOST_ANSWER_VALUES)
    return found


def _words(body: bytes) -> str:
    """What an error says: `error`, a text or an object, or `errors` by their fields, and what is `wanted` instead."""
    try:
        document = _object(body)
    except ValueError:
        document = {}  # of a proxy, for example
    said = _joined(document.get("errors") or document.get("error")) or "it does not say why"
    wanted = _joined(document.get("wanted"))
    return (f"{said}; wanted: {wanted}" if wanted else said)[:_LONGEST_TEXT]


def _joined(said: Any) -> str:
    if isinstance(said, dict):
        return "; ".join(f"{place}: {_joined(text)}" for place, text in said.items())
    if isinstance(said, list):
        return ", ".join(_joined(text) for text in said)
    return "" if said is None else str(said)


# --- Its answers ------------------------------------------------------------------------------------------------------

_Standing = Literal["held", "released", "refused"]
_SIZE: Final = Field(ge=0, lt=1 << 63)
_DID: Final = Field(pattern=r"^did:op:[0-9a-f]{64}$")
_SHA256: Final = Field(pattern=r"^[0-9a-f]{64}$")


class _Answer(BaseModel):
    """What is not named here is left to later versions of the service."""

    model_config = ConfigDict(frozen=True, strict=True, alias_generator=to_camel)


class _Listed(_Answer):
    job_id: str
    document_id: str = _DID
    standing: _Standing
    until: float | None  # Unix seconds
    environment: str
    consumer: str
    algorithm: str  # DID, or ""
    finished_at: str | None  # Unix seconds
    files: int = _SIZE
    bytes: int = _SIZE


class _List(_Answer):
    releases: list[_Listed]


class _Dataset(_Answer):
    document_id: str = _DID
    mine: bool
    standing: Literal["waiting", "released", "refused"]
    reason: str | None = None


class _File(_Answer):
    path: str
    filesize: int = _SIZE
    sha256: str = _SHA256
    type: str = Field(max_length=40)


class _Shown(_Answer):
    job_id: str
    standing: _Standing
    until: float | None
    manifest_digest: str = _SHA256
    datasets: list[_Dataset]
    files: list[_File]

    @classmethod
    def of(cls, answer: Mapping[str, Any], job_id: str) -> Self:
        """An answer that is about this job and names nothing twice. Raises Unusable."""
        found = _read(cls, answer)
        if found.job_id != job_id:
            raise Unusable(f"the service answers with another job than {job_id}")
        for names in ([each.path for each in found.files], [each.document_id for each in found.datasets]):
            if len(set(names)) != len(names):
                raise Unusable("the service's answer names a file or a dataset twice")
        return found

    def require_taken(self, decision: Decision) -> None:
        """Raises Unusable."""
        taken = "released" if decision.released else "refused"
        stands = {each.document_id: each.standing for each in self.datasets}
        if self.manifest_digest != decision.manifest_digest or stands.get(decision.did) != taken:
            raise Unusable("the service's answer does not say that the decision was taken")

    def to_decide(self, only: str | None) -> list[str]:
        """DIDs that wait for this account, or the one that was asked for. Raises Refused."""
        if self.standing != "held":
            raise Refused(f"nothing to decide: the results of this job are {self.standing} already")
        found = next((each for each in self.datasets if each.document_id == only), None)
        if only is not None and found is None:
            raise Refused(f"--dataset {only} is not among the datasets of this job whose owners are asked")
        if found is not None and not found.mine:
            raise Refused(f"--dataset {only} is not owned by this account: only its owner decides on it")
        if found is not None and found.standing != "waiting":
            raise Refused(f"nothing to decide: {only} is {found.standing} already")
        waiting = [each.document_id for each in self.datasets if each.mine and each.standing == "waiting"]
        if not waiting:
            raise Refused("nothing to decide: no dataset of this job waits for this account")
        return waiting if found is None else [found.document_id]


_Model = TypeVar("_Model", bound=_Answer)


def _read(model: type[_Model], answer: Mapping[str, Any]) -> _Model:
    """Raises Unusable."""
    try:
        return model.model_validate(answer)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unusable(f"the service's answer is not understood: {where}: {first['msg']}") from None


# --- For people -------------------------------------------------------------------------------------------------------


def _lines_of_release(release: _Listed) -> Iterator[str]:
    until = "" if release.until is None else f" until {_moment(release.until)}"
    yield f"{release.job_id}  {release.standing}{until if release.standing == 'held' else ''}"
    yield f"  dataset      {release.document_id}"
    yield f"  algorithm    {release.algorithm or 'sent with the job, not published'}"
    yield f"  consumer     {release.consumer}"
    yield f"  environment  {release.environment}"
    yield f"  finished     {_moment(release.finished_at)}"
    yield f"  files        {release.files}, {release.bytes} bytes"


def _lines_of_shown(release: _Shown) -> Iterator[str]:
    yield f"job       {release.job_id}"
    yield f"standing  {release.standing}"
    yield f"until     {_moment(release.until)}"
    yield f"manifest  {release.manifest_digest}"
    for dataset in release.datasets:
        whose = "yours" if dataset.mine else "another's"
        reason = f": {dataset.reason}" if dataset.reason else ""
        yield f"dataset   {dataset.document_id}  {whose:9}  {dataset.standing}{reason}"
    yield f"files     {len(release.files)}, {sum(each.filesize for each in release.files)} bytes"
    size = max((len(str(each.filesize)) for each in release.files), default=0)
    kind = max((len(each.type) for each in release.files), default=0)
    for file in release.files:
        yield f"  {file.filesize:>{size}}  {file.type:{kind}}  {file.path}"


def _moment(seconds: float | str | None) -> str:
    if seconds is None or seconds == "":
        return "not said"
    try:
        return f"{datetime.fromtimestamp(int(float(seconds)), UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} (no time)"


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        typer.echo(_harmless(line))


def _harmless(text: str, *, longest: int = _LONGEST_TEXT) -> str:
    """Control characters, marks that turn the text's direction, line ends, and whatever else has no shape of its own
    are written as escapes."""
    cut = text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest} characters more)"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)
