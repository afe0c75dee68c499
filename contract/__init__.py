"""What service, manifests and pods agree on: names, keys, the job spec, the manifest of results, exit codes."""
