"""What the rules judge: everything known about a request, as values. Absent knowledge is None, never an exception."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contract.job_spec import Source
from ocean.chain.order_values import Order
from ocean.ddo import DDO, Service
from ocean.files import File
from provider_api.access.other_providers import OtherProvider
from provider_api.access.request import AssetRequest, ComputeRequest
from provider_api.environments.environment import Environment
from provider_api.settings import PolicySettings


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """One asset of the request, as far as it could be found out."""

    request: AssetRequest
    ddo: DDO | None = None  # with `nft.state` and `nft.owner` read from the chain; None: the DID does not resolve
    service: Service | None = None
    files: tuple[File, ...] | None = None  # None: not readable with our key
    other_provider: OtherProvider | None = None  # whose files and order these are; None: ours, or nobody's who answers
    sources: tuple[Source, ...] | None = None  # where a job gets the files from; None: nowhere
    digests: tuple[str, ...] | None = None  # of an algorithm's files; None: they could not be fetched
    awaits_parameters: bool = False  # nobody looked at its files: they need parameters that only a start brings
    order: Order | None = None  # None: not verified, see `order_problem`
    order_problem: str = ""  # code for the log
    fee_decimals: int = 18  # of the fee token of the asset's chain
    free: bool = False  # the asset's chain takes no fees (fee token is the zero address)

    @property
    def is_served(self) -> bool:
        """We have its files, or another provider says that it has them."""
        return bool(self.files) or self.other_provider is not None

    @property
    def own_order(self) -> Order | None:
        """The order if it was made with our fee: those of other providers pay for nothing here."""
        return self.order if self.other_provider is None else None

    @property
    def place(self) -> str:
        return self.request.place

    @property
    def chain_id(self) -> int:
        return (self.ddo.chain_id or 0) if self.ddo is not None else 0


@dataclass(frozen=True, slots=True)
class ComputeFacts:
    """All of one request. `algorithm` is None for a raw one, whose file digests are `raw_digests`."""

    request: ComputeRequest
    environment: Environment | None
    datasets: tuple[AssetFacts, ...]
    algorithm: AssetFacts | None
    policy: PolicySettings
    now: float  # Unix seconds
    minimum_paid_seconds: int
    max_datasets: int
    with_orders: bool = True  # a start; False: a request for quotes, which needs no orders
    with_credentials: bool = True  # False: nobody has said who the consumer is
    raw_sources: tuple[Source, ...] = ()  # of a raw algorithm's url
    raw_digests: tuple[str, ...] | None = ()  # of a raw algorithm's url; None: it could not be fetched
    gathered: bool = True  # False: nothing was asked about the assets, because the request is refused anyway
    unfinished_jobs: int | None = None  # of the environment; None: Argo was not asked
    can_hold: bool = True  # the result store can keep decisions of owners
    own_unfinished_jobs: int | None = None  # of them the consumer's, starts under way included; None: not asked

    def assets(self) -> Iterator[AssetFacts]:
        """Datasets in order, then the published algorithm."""
        yield from self.datasets
        if self.algorithm is not None:
            yield self.algorithm
