"""Accounts: where a key comes from, and the tokens that stand for it between commands."""
