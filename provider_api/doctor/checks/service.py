"""Facts about what the service itself talks to. No check here needs a cluster."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from nacl.public import PrivateKey
from obstore.exceptions import BaseError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from argo.client import ArgoClient
from argo.client.errors import ArgoError
from argo.client.records import ARCHIVING, FIRST_SERVER, PENDING
from contract import names
from ocean.kit.together import together
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.judging import service, versions
from provider_api.doctor.lines import Line
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import NotCheckable, Surroundings
from provider_api.jobs.expiry import is_unarchived
from provider_api.keys import KeyMissing, load_keys
from provider_api.settings import ArgoSettings, ProviderSettings
from provider_api.storage import migrations
from provider_api.storage.database import Database, StorageUnavailable
from results.store import (
    ResultMissing,
    Store,
    StoreInvalid,
    StoreUnavailable,
    cause_of,
    delete_job,
    key_for,
    open_store,
    put_object,
    stream_object,
)

_CLEAN_SECONDS = 10.0
_SOME = 100  # jobs
_NOTHING_RUNS = "the settings name none, and nothing has been started in the data folder"


async def _key(around: Surroundings) -> Sequence[Line]:
    given = around.settings.provider
    made = around.settings.data_folder / "provider.key"  # by `c2d serve`
    if given.key is None and given.key_file is None:
        if not await in_thread(made.is_file):
            raise NotCheckable("the settings name none (`c2d serve` makes its own)")
        given = ProviderSettings(key_file=made)
    try:
        return [service.KEY.ok(f"of {load_keys(given).address}")]
    except KeyMissing as exc:
        return [service.KEY.failure(str(exc))]


# --- Argo Server -----------------------------------------------------------------------------------------------------


async def _argo(around: Surroundings) -> Sequence[Line]:
    settings = around.settings
    if "argo" not in settings.model_fields_set and not settings.argo_servers:
        raise NotCheckable("the settings name none (`c2d serve` starts its own)")
    several = bool(settings.argo_servers)
    found = await together(
        *(
            _argo_server(number if several else "", each, around.options.limit_seconds)
            for number, each in {FIRST_SERVER: settings.argo, **settings.argo_servers}.items()
        )
    )
    return [line for lines in found for line in lines]


async def _argo_server(subject: str, settings: ArgoSettings, limit_seconds: float) -> list[Line]:
    """It is asked for its version first, which it tells everybody, so that these two lines say different things."""
    token = settings.token.get_secret_value() if settings.token is not None else settings.token_file
    timeout = min(settings.timeout_seconds, limit_seconds / 4)  # of each request
    async with ArgoClient(
        settings.url, settings.namespace, token, verify=settings.verify, timeout_seconds=timeout, calls_at_once=2
    ) as client:
        try:
            version = versions.judge_argo(await client.version(), subject)
        except ArgoError:
            version = versions.ARGO.not_checked("it did not tell", subject)
        try:
            templates = await client.templates()
            jobs = await client.count({names.ENVIRONMENT: templates[0].name if templates else "none"})
            to_archive = await client.list({names.ENVIRONMENT: names.ANY, ARCHIVING: PENDING}, limit=_SOME)
        except ArgoError as exc:
            unseen = service.ARCHIVE.not_checked("it lists no jobs", subject)
            return [service.judge_argo_error(subject, exc), version, unseen]
    found = f"{len(templates)} environments, {jobs} jobs in the first" if templates else "no environments"
    unarchived = sum(is_unarchived(job, time.time()) for job in to_archive)
    return [service.ARGO_SERVER.ok(found, subject), version, service.judge_archive(unarchived, subject)]


# --- database --------------------------------------------------------------------------------------------------------


async def _database(around: Surroundings) -> Sequence[Line]:
    url = around.settings.storage_url()
    try:
        address = make_url(url)
    except ArgumentError:
        return _no_database("the address is none that SQLAlchemy understands")
    if address.get_backend_name() == "sqlite" and not await in_thread(os.path.isfile, address.database or ""):
        if around.settings.storage.url is None:
            raise NotCheckable(_NOTHING_RUNS)
        return _no_database("there is no such file")
    database = Database(url)
    try:
        current = await database.read(migrations.current)
    except StorageUnavailable as exc:
        return _no_database(f"no answer ({exc.reason})")
    finally:
        await database.close()
    migrated = service.judge_migrations(current, migrations.HEAD, migrations.REVISIONS)
    return [service.DATABASE.ok(address.get_backend_name()), migrated]


def _no_database(found: str) -> list[Line]:
    return [service.DATABASE.failure(found), service.MIGRATIONS.not_checked("there is no database to look at")]


# --- result store ----------------------------------------------------------------------------------------------------


async def _store(around: Surroundings) -> Sequence[Line]:
    settings = around.settings
    url, options = settings.results_url(), settings.results.options
    parts = urlsplit(url)
    if parts.scheme == "file" and not await in_thread(os.path.isdir, unquote(parts.path)):  # (else it would be made)
        if settings.results.url is None:
            raise NotCheckable(_NOTHING_RUNS)
        return [service.STORE.failure("there is no such folder")]
    key = PrivateKey.generate()  # to seal with where the store is public: nobody needs what is written here
    try:
        store = open_store(
            url,
            {name: value.get_secret_value() for name, value in options.items()},
            retry_timeout_seconds=around.options.limit_seconds / 4,
            seal_for=key.public_key,
            key=key,
        )
    except StoreInvalid as exc:
        return [service.STORE.failure(str(exc))]
    found = await _try_store(store, f"doctor-{secrets.token_hex(8)}")
    where = parts.scheme
    return [service.STORE.failure(found, where) if found else service.STORE.ok("written, read, deleted", where)]


async def _try_store(store: Store, folder: str) -> str:
    """What went wrong, or "". The object is deleted whatever happened."""
    content = secrets.token_bytes(64)
    try:
        key = key_for(store, folder, b"outputs/probe")
        try:
            await in_thread(lambda: put_object(store, key, [content], most=len(content)))
        except (BaseError, OSError) as exc:
            return f"not writable ({cause_of(exc)})"
        found = b"".join([piece async for piece in stream_object(store, key)])
        if found != content:
            return "something else is read than was written"
    except (StoreUnavailable, ResultMissing) as exc:
        return f"not readable ({exc})"
    finally:
        problem = await _clean(store, folder)
    return problem


async def _clean(store: Store, folder: str) -> str:
    try:
        async with asyncio.timeout(_CLEAN_SECONDS):
            await delete_job(store, folder)
    except (StoreUnavailable, TimeoutError) as exc:
        cause = exc.cause if isinstance(exc, StoreUnavailable) else "no answer"
        return f"not deletable ({cause}); {folder} may be left in it"
    return ""


async def _trust(around: Surroundings) -> Sequence[Line]:
    if not around.settings.chains:
        raise NotCheckable("the settings name no chain, so they are not those of the service")
    return [service.tell_trust(around.settings.policy)]


CHECKS = (
    Check((service.KEY,), _key),
    Check((service.ARGO_SERVER, versions.ARGO, service.ARCHIVE), _argo),
    Check((service.DATABASE, service.MIGRATIONS), _database),
    Check((service.STORE,), _store),
    Check((service.TRUST,), _trust),
)
