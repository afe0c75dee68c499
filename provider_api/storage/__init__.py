"""The service's own records: nonces and order claims. Everything else about a job is asked of Argo."""
