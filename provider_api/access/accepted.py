"""A request that has passed all rules, as values: what was in doubt among the facts is certain here.

Made where the rules (`provider_api.access.rules`) have refused nothing. What cannot be certain then is a mistake of
ours, not of a request, and told at one place.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.job_spec import Source
from ocean.ddo import DDO, Service
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.image import AlgorithmContainer, container_of
from provider_api.access.payment import Carrier, carrier_of
from provider_api.environments.environment import Environment


class Doubtful(AssertionError):
    """All rules were passed although something is not known: a rule is missing or wrong."""


@dataclass(frozen=True, slots=True)
class AcceptedAsset:
    """A dataset or published algorithm. `sources` and `digests` are empty where its files need parameters that only a
    start brings; `digests` are of an algorithm's files only."""

    facts: AssetFacts
    ddo: DDO
    service: Service
    sources: tuple[Source, ...]
    digests: tuple[str, ...]

    @classmethod
    def of(cls, facts: AssetFacts) -> AcceptedAsset:
        if facts.ddo is None or facts.service is None or not (facts.sources or facts.awaits_parameters):
            raise Doubtful(f"{facts.place} has no document, service or files")
        return cls(facts, facts.ddo, facts.service, facts.sources or (), facts.digests or ())


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request for a job that its rules let pass. `algorithm` is None for one that was sent along."""

    facts: ComputeFacts
    environment: Environment
    container: AlgorithmContainer
    datasets: tuple[AcceptedAsset, ...]
    algorithm: AcceptedAsset | None

    @classmethod
    def of(cls, facts: ComputeFacts) -> Accepted:
        container = container_of(facts)
        if facts.environment is None or container is None:
            raise Doubtful("there is no environment or no container")
        datasets = tuple(AcceptedAsset.of(item) for item in facts.datasets)
        algorithm = AcceptedAsset.of(facts.algorithm) if facts.algorithm is not None else None
        if algorithm is not None and algorithm.facts.digests is None and not algorithm.facts.awaits_parameters:
            raise Doubtful("the algorithm's files have no digests")
        return cls(facts, facts.environment, container, datasets, algorithm)

    def assets(self) -> tuple[AcceptedAsset, ...]:
        """Datasets in order, then the published algorithm."""
        return self.datasets if self.algorithm is None else (*self.datasets, self.algorithm)


@dataclass(frozen=True, slots=True)
class AcceptedStart(Accepted):
    """A start: its orders were judged too, and `carrier` is the one that pays."""

    carrier: Carrier

    @classmethod
    def of(cls, facts: ComputeFacts) -> AcceptedStart:
        accepted, carrier = Accepted.of(facts), carrier_of(facts)
        if carrier is None or not facts.with_orders:
            raise Doubtful("no order pays for the job")
        return cls(facts, accepted.environment, accepted.container, accepted.datasets, accepted.algorithm, carrier)
