"""Workflows: stored, driven to their end, stopped, removed."""
