"""A bucket of an S3 server as a result store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from results import objects
from results.object_names import is_folder_of_job, object_key

_CLIENT_OPTIONS: Final = ("allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url")
_DELETED_AT_ONCE: Final = 500  # objects in one request
_LASTING: Final = (
    "PermissionDeniedError",
    "UnauthenticatedError",
    "InvalidPathError",
    "NotSupportedError",
    "NotFoundError",
)


@dataclass(frozen=True, slots=True)
class BucketStore:
    """Failures are BaseError, OSError, ValueError."""

    backend: S3Store

    @property
    def local_folder(self) -> None:
        return None

    def new_key(self, job_id: str, path: bytes) -> str:
        return object_key(job_id, path)

    def put(self, key: str, pieces: Iterable[bytes], *, most: int) -> None:
        objects.put(self.backend, key, pieces, most)

    def put_new(self, key: str, content: bytes) -> bool:
        return objects.put_new(self.backend, key, content)

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        if start == 0 and end is None:
            answer = await obstore.get_async(self.backend, key)
        elif end is None:
            answer = await obstore.get_async(self.backend, key, options={"range": {"offset": start}})
        else:
            answer = await obstore.get_async(self.backend, key, options={"range": (start, end)})
        async for piece in answer.stream(min_chunk_size=objects.PIECE_BYTES):
            yield bytes(piece)

    async def remove(self, job_id: str) -> None:
        await objects.delete_manifest(self.backend, job_id)
        pages = obstore.list(self.backend, prefix=f"{job_id}/", chunk_size=_DELETED_AT_ONCE)
        await self.remove_objects([item["path"] async for page in pages for item in page])

    async def remove_objects(self, keys: Sequence[str]) -> None:
        for first in range(0, len(keys), _DELETED_AT_ONCE):  # (S3 calls it a success when one is gone already)
            await obstore.delete_async(self.backend, list(keys[first : first + _DELETED_AT_ONCE]))

    async def jobs(self) -> AsyncGenerator[tuple[str, float]]:
        listed = await obstore.list_with_delimiter_async(self.backend)
        for prefix in listed["common_prefixes"]:
            job_id = prefix.rstrip("/")
            if is_folder_of_job(job_id):
                pages = obstore.list(self.backend, prefix=f"{job_id}/", chunk_size=_DELETED_AT_ONCE)
                newest = [max(item["last_modified"].timestamp() for item in page) async for page in pages if page]
                if newest:
                    yield job_id, max(newest)

    def is_transient(self, exc: Exception) -> bool:
        """Connection and server faults are, refusals are not."""
        lasting = type(exc).__name__ in _LASTING or isinstance(exc, PermissionError | FileNotFoundError | ValueError)
        return not lasting


def open_s3(bucket: str, prefix: str, options: Mapping[str, str], *, retry_timeout_seconds: float) -> BucketStore:
    """`options` as obstore names them. Raises ValueError, which does not repeat them."""
    config: dict[str, Any] = {}
    client: dict[str, Any] = {"connect_timeout": "10s", "timeout": "120s"}
    for name, value in options.items():
        (client if name in _CLIENT_OPTIONS else config)[name] = value
    if str(config.get("endpoint", "")).startswith("http://"):
        client["allow_http"] = "true"
    try:
        return BucketStore(
            S3Store(
                bucket,
                prefix=prefix.strip("/") or None,
                config=config,  # type: ignore[arg-type]
                client_options=client,  # type: ignore[arg-type]
                retry_config={"max_retries": 8, "retry_timeout": timedelta(seconds=retry_timeout_seconds)},
            )
        )
    except (BaseError, ValueError, OSError) as exc:
        raise ValueError(type(exc).__name__) from None
