"""What service, manifests and programs in pods agree on: names, keys, the job spec, the manifest of results, exit codes."""
