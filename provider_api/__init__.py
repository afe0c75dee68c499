"""The service: Ocean's Provider API, which checks access and starts, reads, stops and delivers jobs."""

import ocean  # noqa: F401  mends what other packages do while they are imported, so it comes before them
