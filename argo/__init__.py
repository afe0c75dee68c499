"""Everything that is Argo: the client, the single-machine server, the rendered manifests under `gitops/`."""
