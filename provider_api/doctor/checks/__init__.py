"""All checks, in the order of the report. Here facts are gathered; what they mean is decided in `judging`."""

from __future__ import annotations

from typing import Final

from provider_api.doctor.checks import chains, cluster, environments, machine, placement, probe, service
from provider_api.doctor.run import Check

CHECKS: Final[tuple[Check, ...]] = (
    *machine.CHECKS,
    *cluster.CHECKS,
    probe.CHECK,
    *environments.CHECKS,
    *placement.CHECKS,
    *service.CHECKS,
    chains.CHECK,
)
ITEMS: Final = tuple(item for check in CHECKS for item in check.items)
