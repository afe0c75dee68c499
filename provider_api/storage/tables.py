"""The tables. Migrations in `migrations/` make them; a test compares both."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, String, Table, text

metadata = MetaData()

# The last nonce each consumer has used.
nonces = Table(
    "nonces",
    metadata,
    Column("consumer", String(42), primary_key=True),  # address, lower case
    Column("value", String(80), nullable=False),  # as the consumer wrote it
)

# One row per accepted start: which order pays for which job.
claims = Table(
    "claims",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("consumer", String(42), nullable=False),
    Column("nonce", String(80), nullable=False),  # normal form
    Column("digest", String(64), nullable=False),  # SHA-256 of the request's content, hex
    Column("chain_id", BigInteger, nullable=False),
    Column("agreement_id", String(66), nullable=False),  # 0x + 64 lower-case hex
    # open: submission under way or of unknown outcome; submitted: Argo has it; released: it was never submitted;
    # closed: the job is over
    Column("state", String(9), nullable=False),
    Column("changed_at", Float, nullable=False),  # Unix seconds
)

# Tokens that their owners have deleted, until they expire by themselves.
revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of the token, hex
    Column("expires_at", BigInteger, nullable=False, index=True),  # Unix seconds
)

# Nonces that providers have used on the Operator-Service API, for as long as their time is accepted.
provider_calls = Table(
    "provider_calls",
    metadata,
    Column("signer", String(42), primary_key=True),  # address, lower case
    Column("nonce", String(80), primary_key=True),  # normal form
    Column("digest", String(64), nullable=False),  # SHA-256 of the call's content, hex
    Column("used_at", Float, nullable=False, index=True),  # Unix seconds
)

_TAKEN = text("state IN ('open', 'submitted')")

# What makes "one unfinished job per order" true whatever races.
Index(
    "one_job_per_agreement",
    claims.c.chain_id,
    claims.c.agreement_id,
    unique=True,
    sqlite_where=_TAKEN,
    postgresql_where=_TAKEN,
)
Index("one_claim_per_nonce", claims.c.consumer, claims.c.nonce, unique=True)
