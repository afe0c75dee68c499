"""Endpoints for owners of datasets, additions of ours: what waits for their decision, and the decision itself."""

from typing import Final

from provider_api.endpoints.releases import decide, listing, show

ENDPOINTS: Final = (listing.releases, show.release, decide.decide)
