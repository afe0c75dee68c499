"""The settings by groups: `C2D_<GROUP>__<NAME>`. Their docstrings are the page docs/reference/settings.md."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from ocean.files.registry import gateway_roots
from ocean.outgoing import Allowed, OutgoingGuard

_DATABASES = ("sqlite://", "postgresql+asyncpg://")
_KNOWN_DATABASES = (*_DATABASES, "sqlite+aiosqlite://")  # with the driver of asynchronous programs, which is not needed

TypedSignatures = Literal["accepted", "tokens", "demanded"]


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ServerSettings(Group):
    host: str = "127.0.0.1"
    """Address to listen on. Loopback, because a single machine is the default; `0.0.0.0` in a container."""
    port: int = Field(default=8030, ge=0, le=65535)
    """Port to listen on; 0 lets the system choose. 8030 is the port that Ocean's own tools expect."""
    public_urls: tuple[str, ...] = Field(default=(), examples=["https://provider.example.org"])
    """Addresses under which publishers name this service in their documents (`serviceEndpoint`). An asset that names
    another address belongs to another provider, unless its files open with our key."""
    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Largest request body. Raw algorithms are sent in the body; the sealed job spec is limited much earlier."""
    shutdown_seconds: int = Field(default=10, ge=1, le=3600)
    """How long requests under way, downloads among them, may go on after SIGTERM. New ones are refused meanwhile."""
    trusted_proxies: tuple[str, ...] = Field(default=(), examples=["10.0.0.0/8"])
    """Addresses or networks of proxies in front whose `X-Forwarded-For` is believed: JSON list. Empty: a client is
    whoever connects. Behind a proxy that is not named here all clients together have what one client may have."""
    head_seconds: float = Field(default=20.0, gt=0, le=3600)
    """How long a client may take for address and headers of one request."""
    silence_seconds: float = Field(default=30.0, gt=0, le=3600)
    """How long a client may pause while it sends a body."""
    max_connections: int = Field(default=1024, ge=1)
    """Most connections of clients at once; further ones are refused with 503."""
    max_connections_each: int = Field(default=128, ge=1)
    """Most of them from one address (IPv6: from one /64); further ones are refused with 429. Trusted proxies have no
    such limit."""

    @model_validator(mode="after")
    def _readable_proxies(self) -> Self:
        for text in self.trusted_proxies:
            ipaddress.ip_network(text, strict=False)
        return self


class ProviderSettings(Group):
    key: SecretStr | None = None
    """Ethereum private key, 0x + 64 hex: signs fees, opens file lists. Give this or `key_file`."""
    key_file: Path | None = None
    """File with that key, one line."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key is not None and self.key_file is not None:
            raise ValueError("key and key_file are both given; keep one, so that it is clear which key is used")
        return self


class ChainSettings(Group):
    url: str = Field(pattern=r"^https?://")
    """RPC address of a node of the chain, http(s)."""
    chain_id: int | None = Field(default=None, ge=1)
    """Expected chain id; empty: whatever the node says."""
    address_file: Path | None = None
    """Ocean's address file with the contracts of this chain; empty: the one that comes with ocean-contracts."""
    fee_token: str | None = None
    """Token of provider fees; empty: the chain's Ocean token; the zero address makes every environment free."""
    confirmations: int = Field(default=1, ge=0, le=10_000)
    """How many blocks deep an order must lie; 1: it is mined."""
    order_wait_seconds: float = Field(default=5.0, ge=0, le=60)
    """How long a signed start or download waits for an order that the node does not know yet, or not deep enough: the
    consumer's node may be ahead. 0: not at all. Then the answer is 503 if the node has heard of the transaction, else a
    refusal; the same request may be repeated."""


class ArgoSettings(Group):
    url: str = "http://127.0.0.1:2746"
    """Argo Server's address: a cluster's, or that of the single-machine server."""
    namespace: str = "jobs"
    """Namespace of templates and workflows."""
    token: SecretStr | None = None
    """Bearer token; empty: from `token_file`."""
    token_file: Path | None = None
    """File with the bearer token, read again for every request (cluster tokens rotate); empty: no token."""
    verify: bool | Path = True
    """TLS check: true, false (only against a test server), or a file with the accepted authorities."""
    timeout_seconds: float = Field(default=10.0, gt=0, le=600)
    """Time limit of one request, in seconds; waiting until it can be sent counts. C2D_LIMITS__CLAIM_LEASE_SECONDS must
    be at least half as long again."""


class ResultSettings(Group):
    url: str | None = None
    """Result store, as in the publishing pod's store.json: file:///folder, s3://bucket/prefix, or the RPC API of a Kubo
    node, ipfs+http://host:port/folder, where everything is sealed for this service. Empty: data folder."""
    options: dict[str, SecretStr] = Field(default_factory=dict, examples=['{"endpoint": "https://s3.example.org"}'])
    """Options of an S3 store (endpoint, region, keys), by obstore's names; of Kubo `authorization`, the header."""
    orphan_seconds: int = Field(default=7 * 86_400, ge=0)
    """Seconds after which results are removed from the store whose job Argo does not know any more, so that nobody can
    ask for them. 0: they stay. A week, so that there is time to bring back an Argo that was lost."""


class PublicationSettings(Group):
    port: int | None = Field(default=None, ge=0, le=65535)
    """Port, on the same address as the service, that serves the files of assets made of results, and nothing else:
    where downloads may not reach the service itself. Empty: they are served on the service's own port only."""
    chain_id: int | None = Field(default=None, ge=1)
    """One machine: the chain of C2D_CHAINS on which `c2d serve` lets results become assets. Empty: the development
    chain that it starts, or none. In a cluster environments and the Secret c2d-publication say it."""
    key_file: Path | None = None
    """One machine: file with the key that pays on that chain, 0x and 64 hexadecimal digits."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.chain_id is None) != (self.key_file is None):
            raise ValueError("chain_id and key_file go together")
        return self


class StorageSettings(Group):
    url: SecretStr | None = None
    """SQLAlchemy address, sqlite:///… or postgresql+asyncpg://…. Empty: service.sqlite in the data folder.
    Several API processes may share either, on several machines PostgreSQL. Nothing else is needed, no Redis."""

    @field_validator("url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(_KNOWN_DATABASES):
            scheme, mark, _ = url.get_secret_value().partition("://")
            given = f"{scheme}://" if mark and len(scheme) < 30 else "this"
            raise ValueError(f"{given} is no database of this service; expected {' or '.join(_DATABASES)}…")
        if url is not None:
            from sqlalchemy.engine import make_url  # (where none is named it need not be loaded)

            try:
                make_url(url.get_secret_value())
            except Exception:  # noqa: BLE001  (its text repeats the address)
                raise ValueError("this is no address of a database; is the port a number?") from None
        return url


class MetadataSettings(Group):
    store_url: str | None = None
    """Address of a metadata store (Aquarius) that is asked about each asset beside the own index: for documents that
    are encrypted for others, which must have the hash on chain, and for purgatory. Empty: the own index alone."""
    timeout_seconds: float = Field(default=4.0, gt=0, le=600)
    """Time limit of one request to the store; without an answer the own index decides."""
    max_document_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    """Largest answer of the store, and largest document to validate (requests are limited besides)."""


class AccessSettings(Group):
    authorized_decrypters: tuple[str, ...] = Field(default=(), examples=["0x0123…,0x4567…"])
    """Addresses that may ask for decryption of documents; empty: everybody."""
    rbac_url: str | None = None
    """Access control server that is asked before every use of an asset; empty: nobody is asked."""
    private_provider: bool = False
    """What the access control server is told: `private` instead of `public`."""
    proof_url: str | None = None
    """Where a proof of every finished download is sent (HTTP POST); empty: nowhere."""
    timeout_seconds: float = Field(default=5.0, gt=0, le=600)
    """Time limit of one request to either of them."""


class OutgoingSettings(Group):
    allow_private: tuple[str, ...] = Field(
        default=(), examples=["10.0.0.5:9000/public@0x14dC79964da2C08b23698B3D3cc7Ca32193d9955"]
    )
    """Private addresses that files may be fetched from, each for one publisher: JSON list of
    `host:port/prefix@0xOWNER` or `network/bits:port/prefix@0xOWNER`. OWNER is the account that owns the asset's data
    NFT and has written its document, `*` every publisher (only for a server where anybody may have everything). The
    prefix may be left out. Never open to an address that a stranger sends along: an unsigned fileinfo, a raw algorithm.
    This machine's own public address counts as private."""
    forbid: tuple[str, ...] = Field(default=(), examples=["10.0.0.5:443"])
    """`host:port` pairs that stay closed whatever else is allowed; `*:port` is that port of every address."""
    ipfs_gateway: str | None = None
    """Gateway for files of type ipfs: `GET {gateway}/ipfs/{hash}`. It may have a private address."""
    arweave_gateway: str | None = None
    """Gateway for files of type arweave: `GET {gateway}/{transactionId}`. It may have a private address."""
    downloads: int = Field(default=256, ge=1)
    """Most downloads of consumers from files' sources at once. One holds a connection for as long as its consumer
    takes. Beyond it: 503 with Retry-After."""
    downloads_each: int = Field(default=64, ge=1)
    """Most of them from one host and port."""
    hashing: int = Field(default=32, ge=1)
    """Most files at once that are hashed for starts."""
    hashing_each: int = Field(default=8, ge=1)
    """Most of them from one host and port."""
    max_raw_algorithm_bytes: int = Field(default=4 * 1024 * 1024, ge=1)
    """A raw algorithm's `url` may lead to at most so much. It is fetched at a start, after signature and orders."""
    max_checksum_bytes: int = Field(default=32 * 1024 * 1024, ge=0)
    """fileinfo computes checksums of published files up to this size."""
    timeout_seconds: float = Field(default=20.0, gt=0, le=3600)
    """Time limit for hashing one algorithm file."""
    max_algorithm_bytes: int = Field(default=256 * 1024 * 1024, ge=1)
    """A published algorithm whose file is larger cannot run: it must be hashed at every start."""
    checksum_seconds: float = Field(default=30.0, ge=0, le=86400)
    """How long a checksum of an algorithm file is believed without asking again. The pod compares once more."""

    @model_validator(mode="after")
    def _bound_to_publishers(self) -> Self:
        for text in self.allow_private:
            if Allowed.parse(text).owner is None:
                raise ValueError(
                    f"allow_private: {text!r} names no publisher; write {text}@0x… with the account that publishes the"
                    f" files there, or {text}@* if every publisher may have everything there"
                )
        OutgoingGuard.require_readable(self.forbid)
        self.exceptions()
        return self

    def exceptions(self) -> tuple[str, ...]:
        """What a guard is told: `allow_private`, and the gateways for everybody."""
        return (*self.allow_private, *(Allowed.of_url(url).text() for url in gateway_roots(self.gateways())))

    def gateways(self) -> dict[str, str]:
        """Those that are set, by the type of file: each is a field `{type}_gateway`."""
        named = {name.removesuffix("_gateway"): value for name, value in self if name.endswith("_gateway")}
        return {type_: url for type_, url in named.items() if url}


class StrangerSettings(Group):
    """What is spent on requests that nobody has signed, and on those whose signature is not good. Beyond it: 429 with
    Retry-After. Who has paid does not wait for any of it."""

    at_once: int = Field(default=16, ge=1)
    """Most unsigned requests that are worked on at once."""
    at_once_each: int = Field(default=4, ge=1)
    """Most of them for one client address (IPv6: one /64)."""
    waiting_each: int = Field(default=32, ge=0)
    """How many more of one client may wait for that, up to `waiting_seconds`."""
    waiting_seconds: float = Field(default=10.0, gt=0, le=3600)
    """How long a request may wait until it is refused."""
    units_per_minute: int = Field(default=3000, ge=1)
    """Requests of one client address: most count 1, those that ask chains or files 10, a refused signature 5, and each
    4 KiB of a body 1. What one client may save up is a quarter of it, what all together may have is eight times as
    much."""
    bytes_per_minute: int = Field(default=64 * 1024 * 1024, ge=1)
    """Bytes that are fetched from files' sources for one client address. It may save up twice as much; all together may
    have four times as much. One file more may be begun while anything is left."""
    sources: int = Field(default=16, ge=1)
    """Most connections to files' sources at once, apart from those of downloads and starts."""
    sources_each: int = Field(default=4, ge=1)
    """Most of them to one host and port."""
    body_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """Most memory for bodies of unsigned requests that have not arrived whole, or wait."""


class LimitSettings(Group):
    minimum_paid_seconds: int = Field(default=10, ge=0, le=86400)
    """A start with less paid time left is refused."""
    outer_margin_seconds: int = Field(default=60, ge=0, le=3600)
    """Seconds, beside the environment's `pending_timeout`, that Argo gives an algorithm's pod beyond its run time: for
    what comes before its start. Never beyond the paid time."""
    claim_lease_seconds: float = Field(default=30.0, gt=0, le=3600)
    """How long the orders of a start stay taken, in seconds, while the outcome of its submission is not known. At least
    one and a half times the longest C2D_ARGO__TIMEOUT_SECONDS, or an order might serve another job meanwhile."""
    retry_after_seconds: int = Field(default=5, ge=1, le=3600)
    """Value of Retry-After on 503."""
    list_limit: int = Field(default=100, ge=1, le=10_000)
    """Most jobs in one answer."""
    token_seconds: int = Field(default=24 * 3600, ge=1, le=366 * 24 * 3600)
    """Longest lifetime of a token (createAuthToken), in seconds. A day, because the plain text that is signed for a
    token names neither this provider nor what the token is for."""
    datasets: int = Field(default=20, ge=1, le=1000)
    """Most datasets in one request: each costs reads of a chain."""


class LiveSettings(Group):
    """Jobs while somebody looks at them."""

    viewers: int = Field(default=1000, ge=1)
    """Most viewers of one process at once; further ones are refused with 503. Each has a connection of
    C2D_SERVER__MAX_CONNECTIONS."""
    viewers_each: int = Field(default=20, ge=1)
    """Most of one account; further ones are refused with 429."""
    log_bytes: int = Field(default=1024 * 1024, ge=1)
    """Of a job's log so much is shown while it runs, if its release rules do not say less."""
    memory_mib: int = Field(default=64, ge=1)
    """MiB of all logs that are being watched. Beyond it, logs wait until others are no longer looked at."""


class PolicySettings(Group):
    trusted_lists_empty: Literal["allow", "deny"] = "allow"
    """Meaning of two empty lists of trusted algorithms: every published algorithm (as Ocean's Provider), or none."""
    trusted_lists: Literal["all", "any"] = "all"
    """Where a dataset has a list of trusted algorithms and one of trusted publishers: an algorithm must be in `all` of
    them (as Ocean's Provider), or in `any` of them (as Ocean Node)."""
    require_checksums: bool = False
    """Refuse trusted algorithm entries that carry no checksums."""
    allow_unbound_files: bool = False
    """Accept file lists of version 4.0.0 documents, which are not bound to their asset and can be copied."""
    allow_network: bool = False
    """Let jobs have a network when every compute dataset says allowNetworkAccess. Off: such jobs run without."""
    respect_purgatory: bool = True
    """Treat assets in purgatory as disabled."""
    tolerate_missing_nonce: bool = False
    """Accept a stop or delete of one named job as ocean.js sends them. Its delete (all of 3.x) signs a nonce and does
    not send it: it is found and used up. Its stop (3.0.4, and from 3.3.3 on) signs none: whoever has
    seen one can repeat it, but can do nothing else with it."""
    typed_signatures: TypedSignatures = "accepted"
    """Signatures of the typed form (EIP-712), which names provider, call and parameters: `accepted` beside those of
    plain texts, which are all that usual clients make; `tokens`: demanded where tokens are made and taken out of use;
    `demanded` everywhere."""
    failures_as_finished: bool = False
    """Report failures 41 and 62 as 70, for callers that wait for a status above 60; reason and exit code still tell."""


class OperatorSettings(Group):
    providers: dict[str, tuple[str, ...]] = Field(default_factory=dict, examples=['{"a-provider": ["0x0123…"]}'])
    """Who may use the Operator-Service API: a name of your choice for each Ocean Provider, and the addresses that sign
    for it (several while its key is being changed). JSON. Empty: the API is not there."""
    admins: tuple[SecretStr, ...] = ()
    """Values of the header `Admin` that open its administrative calls; empty: none does."""
    nonce_window_seconds: float = Field(default=300.0, gt=0, le=86400)
    """How far a provider's clock, of which its nonces are made, may differ from ours."""


class MachineSettings(Group):
    environments: Path | None = None
    """One machine: folder of environments of your own, a TOML file each, in the place of the project's. Changes are
    taken up without restart. Empty: the project's own."""
    images: Path | None = None
    """One machine: TOML file with a line `"image/name" = "/folder"` for each unpacked image that algorithms may use
    beside this machine's programs. Read again when it changes. Empty: none."""


class MetricsSettings(Group):
    port: int | None = Field(default=None, ge=0, le=65535)
    """Port for `/metrics`, `/healthz` and `/readyz`, on the same address as the service; empty: none. Not for
    consumers: keep it inside."""


class TracingSettings(Group):
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    """An OTLP collector, http(s)://host:4318; spans go to its /v1/traces. Empty: none. Needs the extra `tracing`."""
    service_name: str = "c2d-provider-api"
    """How spans name this service."""


class LogSettings(Group):
    json_lines: bool = False
    """One JSON object per line (in pods) instead of text for people."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important events that are written."""
    requests: bool = False
    """One line for each request: method, route, status, seconds, bytes, and the job it was about."""
