"""The publishing step: outputs and logs to the result store, then the manifest. Run as `python -m pods.publishing`."""
