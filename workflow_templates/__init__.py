"""Environments as WorkflowTemplates: Hera programs that turn descriptions into manifests. No network, no settings."""
