"""Accounts of a development chain, whose keys everybody knows: never send anything of value to them."""

from __future__ import annotations

from functools import cache
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

MNEMONIC: Final = "test test test test test test test test test test test junk"

# Role → index below the mnemonic.
OWNER, PUBLISHER, CONSUMER, PROVIDER, ENVIRONMENT, STRANGER = range(6)


@cache
def account(index: int) -> LocalAccount:
    """One of the ten accounts that anvil funds with 10,000 ether each, from the mnemonic known to everybody."""
    Account.enable_unaudited_hdwallet_features()
    derived: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return derived
