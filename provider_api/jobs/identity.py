"""A job's identity: derived from who asks, with which nonce, for what. The same request always means the same job."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocean.kit.compact_json import compact_json
from provider_api.storage.nonces import SignedText, normal_form

_NOT_CONTENT = ("signature", "providerSignature", "nonce", "consumerAddress")


@dataclass(frozen=True, slots=True)
class JobIdentity:
    job_id: str  # 32 lower-case hex characters, also the workflow's name
    consumer: str  # canonical
    nonce: str  # normal form
    nonce_text: str  # as written
    digest: str  # of the content
    signed: SignedText | None = None  # what was signed with it
    counted: bool = True  # the nonce is the consumer's own, each greater than the last; False: a provider's


def content_digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of the request without what proves it. Key order and white space of the JSON do not matter."""
    content = {name: value for name, value in values.items() if name not in _NOT_CONTENT}
    return hashlib.sha256(compact_json(content, sort_keys=True).encode()).hexdigest()


def identify(
    consumer: str,
    nonce_text: str,
    values: Mapping[str, Any],
    server: str,
    *,
    signed: SignedText | None = None,
    counted: bool = True,
) -> JobIdentity:
    """`consumer` is canonical, `nonce_text` has passed its format rule. `server`: the two digits of the Argo Server
    that has the environment; whoever knows a job's id knows whom to ask."""
    nonce, digest = normal_form(nonce_text), content_digest(values)
    name = hashlib.sha256(f"{consumer}|{nonce}|{digest}".encode()).hexdigest()[:30]
    return JobIdentity(server + name, consumer, nonce, nonce_text, digest, signed, counted)
