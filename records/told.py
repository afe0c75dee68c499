"""A passport as a crate tells it: flat values, each of the kind that it should be, and identifiers as RO-Crate writes
them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from contract.names import FILTERING
from contract.provenance import OrderedAsset
from records.passport import job_of, orders_of
from records.statement import Statement, StatementInvalid

_ACCOUNT: Final = "ethereum:"  # as a passport names accounts
# What stands in an identifier as it is. RO-Crate wants international letters unescaped, and the rest as in a URI. The
# colon is not here, or what stands before it in a file's name would be read as a scheme; nor are the signs from U+2000
# on, some of which are blanks or turn the direction of text.
_PLAIN: Final = re.compile("[A-Za-z0-9._~!$&'()*+,;=@/\\-\u00a1-\u1fff\u2c00-\ud7ff\uf900-\ufdcf\U00010000-\U0001fffd]")


@dataclass(frozen=True, slots=True)
class ToldJob:
    """What a crate tells of a passport. Times are ISO 8601; "" is what the passport does not know."""

    id: str
    datasets: Sequence[OrderedAsset]
    algorithm: OrderedAsset | None  # None: sent along
    action: str  # its identifier in the crate
    consumer: str
    agent: str  # URI of the consumer's account
    conditions: str
    policy: str
    image: str
    service: str  # URI of its account
    service_name: str
    url: str
    version: str
    started: str
    finished: str
    reason: str
    exit_code: int | None
    filtering: Mapping[str, str]  # the step; empty where there is no filter, or the job did not come so far
    digests: Mapping[str, str]  # of what went in and is told in clear
    inputs: Sequence[str]  # the DID of each file of a dataset that went in
    logs: frozenset[str]


def told_job(passport: Statement) -> ToldJob:
    """Raises StatementInvalid for a passport that lacks a part which every passport has."""
    job_id, orders = job_of(passport), orders_of(passport)
    try:
        definition, run = passport.predicate["buildDefinition"], passport.predicate["runDetails"]
        request, terms = definition["externalParameters"], definition["internalParameters"]
        builder, metadata, went_in = run["builder"], run["metadata"], definition["resolvedDependencies"]
        bought = "did" in request["algorithm"]
        steps = {step["name"]: step for step in metadata["c2d_steps"]}
        told = ", ".join(f"{name} {step['phase']}" for name, step in steps.items())
        return ToldJob(
            id=job_id,
            datasets=orders[:-1] if bought else orders,
            algorithm=orders[-1] if bought else None,
            action=f"#job-{uri(job_id)}",
            consumer=_text(request["consumer"]),
            agent=uri(f"{_ACCOUNT}{request['consumer']}", ":") if request["consumer"] else "",
            conditions=f"Environment: {request['environment']}, announced with the SHA-256 "
            f"{terms['environmentDigest']['sha256']}. Network: {terms['network']}. Steps: {told or 'none'}.",
            policy=json.dumps(dict(terms["policy"])),
            image=_text(terms["image"]),
            service=uri(_text(builder["id"]), ":"),
            service_name=f"Compute-to-Data service {builder.get('c2d_url', builder['id'])}",
            url=_text(builder.get("c2d_url", "")),
            version=_text(builder["version"]["c2d"]),
            started=_time(metadata["startedOn"]),
            finished=_time(metadata["finishedOn"]),
            reason=_text(metadata["c2d_reason"]),
            exit_code=metadata.get("c2d_exitCode"),
            filtering=_step(steps[FILTERING]) if terms["filtered"] and FILTERING in steps else {},
            digests={
                each["name"]: bytes.fromhex(each["digest"]["sha256"]).hex()
                for each in went_in
                if "sha256" in each.get("digest", {})
            },
            inputs=[each["uri"] for each in went_in if each["name"].startswith("inputs/")],
            logs=frozenset(each["name"] for each in run["byproducts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StatementInvalid("the passport lacks a part that every passport has") from None


def uri(text: str, more: str = "") -> str:
    """An identifier. `more`: letters that stand as they are beside the plain ones."""
    return "".join(
        letter if letter in more or _PLAIN.fullmatch(letter) else quote(letter.encode("utf-8", "surrogateescape"))
        for letter in text
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _time(value: Any) -> str:
    return datetime.fromisoformat(_text(value)).isoformat()


def _step(step: Mapping[str, Any]) -> dict[str, str]:
    started, finished = (_time(step[key]) if key in step else "" for key in ("startedOn", "finishedOn"))
    return {"phase": _text(step["phase"]), "started": started, "finished": finished}
