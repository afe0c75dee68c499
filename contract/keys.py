"""The NaCl keys that seal job specs, as files: one key a line, 32 bytes as base64.

A folder of an environment (a Secret in a cluster) holds

* `environment.key`, the environment's private keys: the first is the one in use, further lines are old ones that are
  still accepted, so that a key can be changed while jobs are waiting;
* `service.pub`, the public keys of the services whose job specs the environment accepts, likewise;
* `ethereum.key`, the private key of the account in whose name inputs of other providers are downloaded (0x and 64 hex
  digits); without it such jobs fail.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nacl.public import PrivateKey, PublicKey

from ocean.kit.atomic import SECRET, make_file, replace_file

ENVIRONMENT_KEY_FILE = "environment.key"
SERVICE_PUBLIC_FILE = "service.pub"
ETHEREUM_KEY_FILE = "ethereum.key"

_Key = TypeVar("_Key", PrivateKey, PublicKey)


class KeyFileInvalid(ValueError):
    """A key file is missing, unreadable, empty, or a line of it is no key. Never names its content."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path.name}: {problem}")
        self.path = path


@dataclass(frozen=True, slots=True)
class KeyRing:
    """What `job_spec.open_sealed` needs."""

    environment_keys: tuple[PrivateKey, ...]
    service_keys: tuple[PublicKey, ...]


def encode_key(key: PrivateKey | PublicKey) -> str:
    """A key as it stands in a file and in a template's annotation."""
    return base64.b64encode(bytes(key)).decode()


def decode_public_key(text: str) -> PublicKey:
    """Raises ValueError."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a public key is not base64") from None
    if len(raw) != PublicKey.SIZE:
        raise ValueError(f"a public key has {len(raw)} bytes, not {PublicKey.SIZE}")
    return PublicKey(raw)


def read_private_keys(path: Path) -> tuple[PrivateKey, ...]:
    """Raises KeyFileInvalid."""
    return _read(path, PrivateKey)


def read_public_keys(path: Path) -> tuple[PublicKey, ...]:
    """Raises KeyFileInvalid."""
    return _read(path, PublicKey)


def read_key_ring(folder: Path) -> KeyRing:
    """Raises KeyFileInvalid."""
    return KeyRing(read_private_keys(folder / ENVIRONMENT_KEY_FILE), read_public_keys(folder / SERVICE_PUBLIC_FILE))


def read_ethereum_key(folder: Path) -> bytes | None:
    """The key of the environment's account; None if the folder has none. Raises KeyFileInvalid."""
    from ocean.keys import private_bytes  # Ethereum's packages take long to import, and most steps do without

    path = folder / ETHEREUM_KEY_FILE
    if not path.exists():
        return None
    try:
        return private_bytes(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as exc:
        raise KeyFileInvalid(path, type(exc).__name__) from None


def load_or_make_private_key(path: Path) -> PrivateKey:
    """The first key of a file, which is made (mode 0600) if there is none. Two callers at once get the same key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        make_file(path, encode_key(PrivateKey.generate()) + "\n", mode=SECRET, durable=True)
    return read_private_keys(path)[0]


def generate_keys(folder: Path, service_key: PublicKey) -> PublicKey:
    """Make an environment's key folder, or complete it; keys that are there are kept. Returns its public key.

    `service_key` becomes the first line of `service.pub` if it is not in there yet. Raises KeyFileInvalid.
    """
    private = load_or_make_private_key(folder / ENVIRONMENT_KEY_FILE)
    path = folder / SERVICE_PUBLIC_FILE
    known = read_public_keys(path) if path.exists() else ()
    if service_key not in known:
        replace_file(path, "".join(encode_key(key) + "\n" for key in (service_key, *known)))
    return private.public_key


def _read(path: Path, kind: Callable[[bytes], _Key]) -> tuple[_Key, ...]:
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyFileInvalid(path, type(exc).__name__) from exc
    keys = []
    for number, line in enumerate(lines, 1):
        try:
            raw = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            raise KeyFileInvalid(path, f"key {number} is not base64") from None
        if len(raw) != 32:
            raise KeyFileInvalid(path, f"key {number} has {len(raw)} bytes, not 32")
        keys.append(kind(raw))
    if not keys:
        raise KeyFileInvalid(path, "no key in it")
    return tuple(keys)
