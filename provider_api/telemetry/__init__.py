"""What operators see of the running service: logs, metrics, traces."""
