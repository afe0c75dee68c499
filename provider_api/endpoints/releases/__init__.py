"""Endpoints for owners of datasets, additions of ours: what waits for their decision, and the decision itself."""

from typing import Final

from provider_api.endpoints.releases import decide, file, listing, show, trust

ENDPOINTS: Final = (listing.releases, show.release, file.release_file, decide.decide, trust.state_trust)
