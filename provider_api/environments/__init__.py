"""Compute environments: one as its WorkflowTemplate describes it, and all of them, held for a few seconds."""
