"""The tables. Migrations in `migrations/` make them; a test compares both."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, text

metadata = MetaData()

# The last nonce each consumer has used.
nonces = Table(
    "nonces",
    metadata,
    Column("consumer", String(42), primary_key=True),  # address, lower case
    Column("value", String(300), nullable=False),  # as the consumer wrote it
)

# One row per accepted start: which job, and which order pays for it.
claims = Table(
    "claims",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("consumer", String(42), nullable=False),
    Column("nonce", String(300), nullable=False),  # normal form
    Column("digest", String(64), nullable=False),  # SHA-256 of the request's content, hex
    Column("chain_id", BigInteger, nullable=False),
    Column("agreement_id", String(66), nullable=False),  # 0x + 64 lower-case hex
    # open: submission under way or of unknown outcome; submitted: Argo has it; released: it was never submitted;
    # closed: the job is over
    Column("state", String(9), nullable=False),
    Column("changed_at", Float, nullable=False),  # Unix seconds
)

# The orders of jobs that are not over, all of each job's: an order is in one row, so it serves one of them.
claimed_orders = Table(
    "claimed_orders",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", String(66), primary_key=True),  # transaction hash, 0x + 64 lower-case hex
    # Counts while that job's claim is open or submitted. A process of the release before leaves the row there.
    Column("job_id", String(32), nullable=False, index=True),
)

# Places of accounts in environments with a limit, numbered from 0: a job that is not over has one.
claimed_places = Table(
    "claimed_places",
    metadata,
    Column("environment", String(253), primary_key=True),
    Column("account", String(42), primary_key=True),  # address, lower case
    Column("place", Integer, primary_key=True, autoincrement=False),
    # Counts while that job's claim is open or submitted.
    Column("job_id", String(32), nullable=False, index=True),
)

# Signed texts that were accepted and could be read as another request with a greater nonce, see `nonces`.
accepted_texts = Table(
    "accepted_texts",
    metadata,
    Column("consumer", String(42), primary_key=True),  # address, lower case
    Column("digest", String(64), primary_key=True),  # SHA-256 of the text, hex
    Column("digits", Integer, nullable=False),  # before the point, of the greatest nonce that can be read in it
)

# How often each consumer has taken all tokens out of use; none for who never has.
token_generations = Table(
    "token_generations",
    metadata,
    Column("consumer", String(42), primary_key=True),  # address, lower case
    Column("generation", Integer, nullable=False),
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
    Column("nonce", String(300), primary_key=True),  # normal form
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
