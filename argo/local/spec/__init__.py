"""Workflow and WorkflowTemplate as this server understands them: everything else is refused by name."""
