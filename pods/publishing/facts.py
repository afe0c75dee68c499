"""What a deployment says of the chain on which results become assets: the Secret that only publishing has mounted.

* `publisher.key`: private key of the account that pays the gas, 0x and 64 hexadecimal digits;
* `publication.json`: everything else (`Facts`), as `c2d admin publication` prints it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ocean.keys import KeyInvalid, private_bytes

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

FACTS_FILE: Final = "publication.json"
KEY_FILE: Final = "publisher.key"


class FactsInvalid(ValueError):
    """The Secret is not what it should be. Never names its content."""


class Facts(BaseModel):
    """`addresses`: an entry of Ocean's address file. `files_url`: where the service is asked for the files of the
    assets; empty: at `provider_url`, as it stands in their documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chain_id: int
    rpc_url: str = Field(pattern=r"^https?://", repr=False)
    addresses: dict[str, Any]
    provider_url: str = Field(pattern=r"^https?://")
    provider_public_key: str = Field(pattern=r"^0x04[0-9a-f]{128}$")
    files_url: str = Field(default="", pattern=r"^(https?://|$)")
    confirmations: int = Field(default=1, ge=1)  # blocks deep that a transaction must lie; 1: it is mined
    patience_seconds: int = Field(default=600, ge=1)  # for all that is asked of the chain


def read_facts(folder: Path, chain_id: int) -> tuple[Facts, LocalAccount]:
    """Raises FactsInvalid."""
    from eth_account import Account  # half a second, which whoever only names these files does not have

    try:
        facts = Facts.model_validate_json((folder / FACTS_FILE).read_text(encoding="utf-8"))
        key = private_bytes((folder / KEY_FILE).read_text(encoding="ascii").strip())
    except ValidationError as exc:
        fields = sorted({".".join(map(str, error["loc"])) or "all of it" for error in exc.errors()})
        raise FactsInvalid(f"{FACTS_FILE} cannot be read: {', '.join(fields)}") from None
    except (OSError, KeyInvalid, ValueError) as exc:
        raise FactsInvalid(f"{FACTS_FILE} or {KEY_FILE} cannot be read: {type(exc).__name__}") from None
    if facts.chain_id != chain_id:
        raise FactsInvalid(f"{FACTS_FILE} is of chain {facts.chain_id}, the environment's is {chain_id}")
    account: LocalAccount = Account.from_key(key)
    return facts, account
