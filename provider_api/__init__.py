"""The service: Ocean's Provider API, which checks access and starts, reads, stops and delivers jobs."""
