"""The configuration step: opens the job spec and fills the volume. Run as `python -m pods.configuration`."""
