"""Facts about the environments. Of Secrets only names of files and public keys leave this module."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from nacl.public import PrivateKey

from contract import names
from contract.keys import ENVIRONMENT_KEY_FILE, ETHEREUM_KEY_FILE, SERVICE_PUBLIC_FILE, encode_key
from ocean.keys import address_of, private_bytes
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.judging import environments as judging
from provider_api.doctor.lines import Line
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import NotCheckable, Surroundings
from provider_api.keys import KeyMissing, load_keys

Json = Mapping[str, Any]


async def templates_of(around: Surroundings) -> Sequence[Json] | None:
    return await in_thread(around.require_cluster().templates, around.jobs, names.ENVIRONMENT)


async def some_templates(around: Surroundings) -> Sequence[Json]:
    """Raises NotCheckable where there is none."""
    templates = await templates_of(around)
    if not templates:
        raise NotCheckable("there is no environment")
    return templates


async def _environments(around: Surroundings) -> Sequence[Line]:
    return judging.judge_environments(await templates_of(around))


async def _secrets(around: Surroundings) -> Sequence[Line]:
    cluster, lines, seen = around.require_cluster(), [], set()
    for template in await some_templates(around):
        for name, wanted in judging.wanted_secrets(template).items():
            if name not in seen:
                seen.add(name)
                secret = await in_thread(cluster.secret, around.jobs, name)
                files = None if secret is None else set(secret.get("data") or ())
                lines.append(judging.judge_secret(name, files, wanted))
    return lines


async def _keys(around: Surroundings) -> Sequence[Line]:
    cluster, lines = around.require_cluster(), []
    try:
        service = load_keys(around.settings.provider).box_public_text()
    except KeyMissing:
        service = None
    for template in await some_templates(around):
        name = str(template["metadata"]["name"])
        secret = await in_thread(cluster.secret, around.jobs, names.environment_secret(name))
        if secret is None:
            lines.append(judging.KEYS.not_checked("there is no Secret with its keys", name))
            continue
        annotations = template["metadata"].get("annotations") or {}
        lines.append(
            judging.judge_keys(
                name,
                announced_box=annotations.get(names.BOX_PUBLIC_KEY, ""),
                announced_address=annotations.get(names.CONSUMER_ADDRESS, ""),
                box=_box_key(_file(secret, ENVIRONMENT_KEY_FILE)),
                address=_address(_file(secret, ETHEREUM_KEY_FILE)),
                accepted=_file(secret, SERVICE_PUBLIC_FILE).split(),
                service=service,
            )
        )
    return lines


def _file(secret: Json, name: str) -> str:
    """The content of a Secret's file; "" for a missing or strange one."""
    try:
        return base64.b64decode((secret.get("data") or {}).get(name, ""), validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        return ""


def _box_key(text: str) -> str | None:
    """The public key of the first private one."""
    try:
        return encode_key(PrivateKey(base64.b64decode(text.split()[0], validate=True)).public_key)
    except Exception:  # noqa: BLE001  (nacl's own errors; none may tell what was in the file)
        return None


def _address(text: str) -> str | None:
    try:
        return address_of(private_bytes(text.strip())) if text else None
    except ValueError:
        return "not a key"


async def _semaphores(around: Surroundings) -> Sequence[Line]:
    templates = await some_templates(around)
    limits = await in_thread(around.require_cluster().config_map, around.jobs, names.LIMITS_CONFIG_MAP)
    return judging.judge_semaphores(templates, limits)


async def _locks(around: Surroundings) -> Sequence[Line]:
    cluster = around.require_cluster()
    limits = await in_thread(cluster.config_map, around.jobs, names.LIMITS_CONFIG_MAP)
    return judging.judge_locks(await in_thread(cluster.unfinished_jobs, around.jobs), limits)


async def _storage(around: Surroundings) -> Sequence[Line]:
    templates = await some_templates(around)
    return judging.judge_storage(templates, await in_thread(around.require_cluster().storage_classes))


async def _claims(around: Surroundings) -> Sequence[Line]:
    wanted = judging.wanted_claims(await some_templates(around))
    if not wanted:
        return [judging.CLAIM.ok("no environment needs one")]
    cluster = around.require_cluster()
    return [judging.judge_claim(name, await in_thread(cluster.claim, around.jobs, name)) for name in sorted(wanted)]


CHECKS = (
    Check((judging.ENVIRONMENTS,), _environments),
    Check((judging.SECRETS,), _secrets),
    Check((judging.KEYS,), _keys),
    Check((judging.SEMAPHORES,), _semaphores),
    Check((judging.LOCKS,), _locks),
    Check((judging.STORAGE_CLASS,), _storage),
    Check((judging.CLAIM,), _claims),
)
