"""Endpoints of compute jobs."""
