"""The first part of the filtering step: copies results for the operator's filter. Run as `python -m pods.filtering`."""
