"""All settings of the service: one tree, read from `C2D_` names of the environment, `__` between the levels.

Every field has a default with which one machine runs complete; `c2d serve` fills in what it has started itself (chain,
Argo Server, keys) and hands over a finished `Settings`. An unknown `C2D_` name stops the start.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "C2D_"


class UnknownSetting(ValueError):
    """The environment has a `C2D_` name that no setting answers to: probably a misspelling."""

    def __init__(self, name: str, nearest: str | None) -> None:
        hint = f"; did you mean {nearest}?" if nearest else ""
        super().__init__(f"unknown setting {name}{hint}")
        self.name, self.nearest = name, nearest


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ServerSettings(_Group):
    host: str = "127.0.0.1"
    """Address to listen on. Loopback, because a single machine is the default; `0.0.0.0` in a container."""
    port: int = Field(default=8030, ge=0, le=65535)
    """Port to listen on; 0 lets the system choose. 8030 is the port that Ocean's own tools expect."""
    public_urls: tuple[str, ...] = ()
    """Addresses under which publishers name this service in their documents (`serviceEndpoint`). An asset that names
    another address belongs to another provider, unless its files open with our key."""
    max_body_bytes: int = 4 * 1024 * 1024
    """Largest request body. Raw algorithms are sent in the body; the sealed job spec is limited much earlier."""
    shutdown_seconds: int = Field(default=10, ge=1)
    """How long requests under way, downloads among them, may go on after SIGTERM. New ones are refused meanwhile."""


class ProviderSettings(_Group):
    key: SecretStr | None = None
    """Ethereum private key, 0x + 64 hex: signs fees, opens file lists. Give this or `key_file`."""
    key_file: Path | None = None
    """File with that key, one line."""


class ChainSettings(_Group):
    url: str = Field(pattern=r"^https?://")
    """RPC address of a node of the chain, http(s)."""
    chain_id: int | None = None
    """Expected chain id; empty: whatever the node says."""
    address_file: Path | None = None
    """Ocean's address file with the contracts of this chain; empty: the one that comes with ocean-contracts."""
    fee_token: str | None = None
    """Token of provider fees; empty: the chain's Ocean token; the zero address makes every environment free."""
    confirmations: int = Field(default=1, ge=0)
    """How many blocks deep an order must lie; 1: it is mined."""


class ArgoSettings(_Group):
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
    timeout_seconds: float = Field(default=10.0, gt=0)
    """Time limit of one request."""


class ResultSettings(_Group):
    url: str | None = None
    """Result store, as in the publishing pod's store.json: file:///folder, s3://bucket/prefix, or the RPC API of a Kubo
    node, ipfs+http://host:port/folder, where everything is sealed for this service. Empty: data folder."""
    options: dict[str, SecretStr] = Field(default_factory=dict)
    """Options of an S3 store (endpoint, region, keys), by obstore's names; of Kubo `authorization`, the header."""


class PublicationSettings(_Group):
    port: int | None = Field(default=None, ge=0, le=65535)
    """Port, on the same address as the service, that serves the files of assets made of results, and nothing else:
    where downloads may not reach the service itself. Empty: they are served on the service's own port only."""
    chain_id: int | None = None
    """One machine: the chain of C2D_CHAINS on which `c2d serve` lets results become assets. Empty: the development
    chain that it starts, or none. In a cluster environments and the Secret c2d-publication say it."""
    key_file: Path | None = None
    """One machine: file with the key that pays on that chain, 0x and 64 hexadecimal digits."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.chain_id is None) != (self.key_file is None):
            raise ValueError("chain_id and key_file go together")
        return self


class StorageSettings(_Group):
    url: SecretStr | None = None
    """SQLAlchemy address, sqlite+aiosqlite:///… or postgresql+asyncpg://…. Empty: service.sqlite in the data folder.
    Several API processes may share either, on several machines PostgreSQL. Nothing else is needed, no Redis."""


class MetadataSettings(_Group):
    store_url: str | None = None
    """Address of a metadata store (Aquarius) that is asked about each asset beside the own index: for documents that
    are encrypted for others, which must have the hash on chain, and for purgatory. Empty: the own index alone."""
    timeout_seconds: float = Field(default=4.0, gt=0)
    """Time limit of one request to the store; without an answer the own index decides."""
    max_document_bytes: int = 8 * 1024 * 1024
    """Largest answer of the store, and largest document to validate (requests are limited besides)."""


class AccessSettings(_Group):
    authorized_decrypters: tuple[str, ...] = ()
    """Addresses that may ask for decryption of documents; empty: everybody."""
    rbac_url: str | None = None
    """Access control server that is asked before every use of an asset; empty: nobody is asked."""
    private_provider: bool = False
    """What the access control server is told: `private` instead of `public`."""
    proof_url: str | None = None
    """Where a proof of every finished download is sent (HTTP POST); empty: nowhere."""
    timeout_seconds: float = Field(default=5.0, gt=0)
    """Time limit of one request to either of them."""


class OutgoingSettings(_Group):
    allow_private: tuple[str, ...] = ()
    """`host:port` or `network/bits:port` that downloads may reach although the address is private. Never a port of
    ours."""
    forbid: tuple[str, ...] = ()
    """`host:port` pairs that stay closed whatever else is allowed."""
    ipfs_gateway: str | None = None
    """Gateway for files of type ipfs: `GET {gateway}/ipfs/{hash}`. A private one must be in `allow_private`."""
    arweave_gateway: str | None = None
    """Gateway for files of type arweave: `GET {gateway}/{transactionId}`. A private one must be in `allow_private`."""
    max_checksum_bytes: int = 32 * 1024 * 1024
    """fileinfo computes checksums of files up to this size."""
    timeout_seconds: float = Field(default=20.0, gt=0)
    """Time limit for hashing one algorithm file."""
    max_algorithm_bytes: int = 256 * 1024 * 1024
    """A published algorithm whose file is larger cannot run: it must be hashed at every start."""
    checksum_seconds: float = 30.0
    """How long a checksum of an algorithm file is believed without asking again. The pod compares once more."""


class LimitSettings(_Group):
    minimum_paid_seconds: int = 10
    """A start with less paid time left is refused."""
    outer_margin_seconds: int = 60
    """How much later than the start script Argo ends the algorithm's pod: image pull and saving outputs."""
    claim_lease_seconds: float = 30.0
    """How long an order stays taken after a submission whose outcome is unknown. Above ArgoSettings.timeout_seconds."""
    retry_after_seconds: int = 5
    """Value of Retry-After on 503."""
    list_limit: int = 100
    """Most jobs in one answer."""
    token_seconds: int = 366 * 24 * 3600
    """Longest lifetime of a token (createAuthToken)."""
    datasets: int = 20
    """Most datasets in one request: each costs reads of a chain."""


class PolicySettings(_Group):
    trusted_lists_empty: Literal["allow", "deny"] = "allow"
    """Meaning of two empty lists of trusted algorithms: every published algorithm (as Ocean's Provider), or none."""
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
    not send it: it is found and used up. Its stop (since 3.3.3) signs none: whoever has seen one can repeat it, but
    can do nothing else with it."""
    failures_as_finished: bool = False
    """Report failures 41 and 62 as 70, for callers that wait for a status above 60; reason and exit code still tell."""


class OperatorSettings(_Group):
    providers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Who may use the Operator-Service API: a name of your choice for each Ocean Provider, and the addresses that sign
    for it (several while its key is being changed). JSON. Empty: the API is not there."""
    admins: tuple[SecretStr, ...] = ()
    """Values of the header `Admin` that open its administrative calls; empty: none does."""
    nonce_window_seconds: float = Field(default=300.0, gt=0)
    """How far a provider's clock, of which its nonces are made, may differ from ours."""


class MetricsSettings(_Group):
    port: int | None = Field(default=None, ge=0, le=65535)
    """Port for `/metrics`, `/healthz` and `/readyz`, on the same address as the service; empty: none. Not for
    consumers: keep it inside."""


class TracingSettings(_Group):
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    """An OTLP collector, http(s)://host:4318; spans go to its /v1/traces. Empty: none. Needs the extra `tracing`."""
    service_name: str = "c2d-provider-api"
    """How spans name this service."""


class LogSettings(_Group):
    json_lines: bool = False
    """One JSON object per line (in pods) instead of text for people."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important events that are written."""
    requests: bool = False
    """One line for each request: method, route, status, seconds, bytes, and the job it was about."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    data_folder: Path = Path("data")
    """Everything that must survive a restart and has no place of its own."""
    disk_reserve_gib: float = Field(default=1.0, ge=0, le=1 << 20)
    """GiB of free disk under the data folder that `c2d serve` keeps for results and databases: with less, jobs wait and
    their status says so. 0 keeps none. One, because that is little, and a full disk loses what others have paid for."""
    server: ServerSettings = ServerSettings()
    provider: ProviderSettings = ProviderSettings()
    chains: tuple[ChainSettings, ...] = ()
    """JSON list. Empty: `c2d serve` starts a development chain; the service alone refuses to start."""
    argo: ArgoSettings = ArgoSettings()
    argo_servers: dict[Annotated[str, StringConstraints(pattern="^([0-9a-f][1-9a-f]|[1-9a-f]0)$")], ArgoSettings] = (
        Field(default_factory=dict)
    )
    """Further Argo Servers, each with environments of its own: JSON, `{"01": {"url": …, "token_file": …}}`. Two
    lower-case hex digits name each for ever, in the ids of its jobs; C2D_ARGO is 00. All need a result store that they
    share (s3://)."""
    results: ResultSettings = ResultSettings()
    publication: PublicationSettings = PublicationSettings()
    storage: StorageSettings = StorageSettings()
    outgoing: OutgoingSettings = OutgoingSettings()
    metadata: MetadataSettings = MetadataSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitSettings = LimitSettings()
    policy: PolicySettings = PolicySettings()
    operator: OperatorSettings = OperatorSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given. The environment is read by `load_settings`, so that a caller may hand over another."""
        return (init_settings,)

    def storage_url(self) -> str:
        """SQLAlchemy address, default filled in."""
        if self.storage.url is not None:
            return self.storage.url.get_secret_value()
        return f"sqlite+aiosqlite:///{(self.data_folder / 'service.sqlite').absolute()}"

    def results_url(self) -> str:
        """Address of the result store, default filled in."""
        return self.results.url or (self.data_folder / "results").absolute().as_uri()


def known_names(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[str]:
    """All names of the environment that mean something, upper case."""
    for name, field in model.model_fields.items():
        full = f"{prefix}{name}".upper()
        yield full
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from known_names(kind, full + "__")


def require_known_names(environment: Iterable[str]) -> None:
    """Raises UnknownSetting for the first `C2D_` name that is no setting. Entries of `results.options` are free."""
    known = set(known_names())
    free = f"{PREFIX}RESULTS__OPTIONS__"
    for name in sorted(environment):
        upper = name.upper()
        if upper.startswith(PREFIX) and upper not in known and not upper.startswith(free):
            nearest = difflib.get_close_matches(upper, known, n=1, cutoff=0.6)
            raise UnknownSetting(name, nearest[0] if nearest else None)


def load_settings(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from an environment (None: the process's); `given` values win.

    Raises UnknownSetting, pydantic.ValidationError.
    """
    found = os.environ if environment is None else environment
    require_known_names(found)
    return Settings(**{**_Environment(found)(), **given})


class _Environment(EnvSettingsSource):
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._values
