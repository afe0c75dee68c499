"""All settings of the service: one tree, read from `C2D_` names of the environment, `__` between the levels.

Every field has a default with which one machine runs complete; `c2d serve` fills in what it has started itself (chain,
Argo Server, keys) and hands over a finished `Settings`. An unknown `C2D_` name stops the start.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from provider_api.settings import text
from provider_api.settings.groups import (
    AccessSettings,
    ArgoSettings,
    ChainSettings,
    LimitSettings,
    LiveSettings,
    LogSettings,
    MachineSettings,
    MetadataSettings,
    MetricsSettings,
    OperatorSettings,
    OutgoingSettings,
    PolicySettings,
    ProviderSettings,
    PublicationSettings,
    ResultSettings,
    ServerSettings,
    StorageSettings,
    StrangerSettings,
    TracingSettings,
    TypedSignatures,
)

__all__ = [
    "PREFIX",
    "AccessSettings",
    "ArgoSettings",
    "ChainSettings",
    "LimitSettings",
    "LiveSettings",
    "LogSettings",
    "MachineSettings",
    "MetadataSettings",
    "MetricsSettings",
    "OperatorSettings",
    "OutgoingSettings",
    "PolicySettings",
    "ProviderSettings",
    "PublicationSettings",
    "ResultSettings",
    "ServerSettings",
    "Settings",
    "StorageSettings",
    "StrangerSettings",
    "TracingSettings",
    "TypedSignatures",
    "UnknownSetting",
    "known_names",
    "load_settings",
    "require_known_names",
]

PREFIX = "C2D_"
_LEASE_FACTOR = 1.5  # how much longer than a call of Argo an order stays taken


class UnknownSetting(ValueError):
    """The environment has a `C2D_` name that no setting answers to: probably a misspelling."""

    def __init__(self, name: str, nearest: str | None) -> None:
        hint = f"; did you mean {nearest}?" if nearest else ""
        super().__init__(f"unknown setting {name}{hint}")
        self.name, self.nearest = name, nearest


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
    chains: tuple[ChainSettings, ...] = Field(default=(), examples=['[{"url": "https://node.example.org"}]'])
    """JSON list. Empty: `c2d serve` starts a development chain; the service alone refuses to start."""
    argo: ArgoSettings = ArgoSettings()
    argo_servers: dict[Annotated[str, StringConstraints(pattern="^([0-9a-f][1-9a-f]|[1-9a-f]0)$")], ArgoSettings] = (
        Field(default_factory=dict, examples=['{"01": {"url": "https://argo.example.org"}}'])
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
    live: LiveSettings = LiveSettings()
    strangers: StrangerSettings = StrangerSettings()
    policy: PolicySettings = PolicySettings()
    operator: OperatorSettings = OperatorSettings()
    machine: MachineSettings = MachineSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _one_port_each(self) -> Self:
        ports = {
            "C2D_SERVER__PORT": self.server.port,
            "C2D_METRICS__PORT": self.metrics.port,
            "C2D_PUBLICATION__PORT": self.publication.port,
        }
        users: dict[int, str] = {}
        for name, port in ports.items():
            if port and port in users:
                raise ValueError(f"{users[port]} and {name} are both {port}; each needs a port of its own")
            users[port or 0] = name
        return self

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

    @model_validator(mode="after")
    def _leases_outlast_submissions(self) -> Self:
        lease, timeout = self.limits.claim_lease_seconds, self.longest_argo_timeout()
        if lease < (needed := _LEASE_FACTOR * timeout):
            raise ValueError(
                f"C2D_LIMITS__CLAIM_LEASE_SECONDS ({lease:g}) must be at least {needed:g}, one and a half times"
                f" C2D_ARGO__TIMEOUT_SECONDS ({timeout:g}, the longest of all Argo Servers)"
            )
        return self

    def longest_argo_timeout(self) -> float:
        """Of all Argo Servers, in seconds."""
        return max(each.timeout_seconds for each in (self.argo, *self.argo_servers.values()))

    def forbidden(self) -> tuple[str, ...]:
        """`host:port` pairs that no call to a stranger's address reaches: our inward port and that of assets made of
        results, whatever the address, and what the operator names."""
        ports = (self.metrics.port, self.publication.port)
        return (*self.outgoing.forbid, *(f"*:{port}" for port in ports if port))

    def storage_url(self) -> str:
        """SQLAlchemy address, default filled in."""
        if self.storage.url is not None:
            return self.storage.url.get_secret_value()
        return f"sqlite:///{(self.data_folder / 'service.sqlite').absolute()}"

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

    Raises UnknownSetting, SettingUnreadable, pydantic.ValidationError.
    """
    named = os.environ if environment is None else environment
    require_known_names(named)
    return Settings(**{**_Environment(text.readable(named, Settings, PREFIX))(), **given})


class _Environment(EnvSettingsSource):
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values  # by lower-case name
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._values
