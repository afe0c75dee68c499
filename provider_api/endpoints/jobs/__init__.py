"""Endpoints of compute jobs: environments, what must be bought, start to delete, results, salts, why not."""

from typing import Final

from provider_api.endpoints.jobs import (
    delete,
    environments,
    events,
    initialize_compute,
    log,
    published,
    results,
    salts,
    start,
    status,
    stop,
    validate_container,
    why_not,
)

ENDPOINTS: Final = (
    environments.compute_environments,
    validate_container.validate_container,
    initialize_compute.initialize_compute,
    start.start,
    status.status,
    stop.stop,
    delete.delete,
    results.compute_result,
    published.published,
    events.job_events,
    log.job_log,
    salts.salts,
    why_not.why_not,
)
