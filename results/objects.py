"""What folder and S3 share: both are stores of `obstore`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, S3Store

from contract.manifest import MANIFEST_NAME

SINGLE_PUT_BYTES: Final = 1 << 20  # up to this size a file is one request
PART_BYTES: Final = 8 << 20  # of a multipart upload; S3 allows 10,000 parts, so 80 GB for one file
PARTS_AT_ONCE: Final = 2
PIECE_BYTES: Final = 1 << 20  # of what is read

Backend = LocalStore | S3Store


def put(backend: Backend, key: str, pieces: Iterable[bytes], most: int) -> None:
    """Write an object of at most so many bytes; blocks."""
    if most <= SINGLE_PUT_BYTES:
        obstore.put(backend, key, b"".join(pieces), use_multipart=False)
    else:
        obstore.put(
            backend, key, iter(pieces), use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
        )


def put_new(backend: Backend, key: str, content: bytes) -> bool:
    """Write a small object if there is none of that name; blocks. Whether it was written: of several writers at once
    one has."""
    try:
        obstore.put(backend, key, content, mode="create", use_multipart=False)
    except AlreadyExistsError:
        return False
    return True


async def delete_manifest(backend: Backend, job_id: str) -> None:
    """The first of what is deleted. It need not be there."""
    with contextlib.suppress(FileNotFoundError):
        await obstore.delete_async(backend, f"{job_id}/{MANIFEST_NAME}")
