"""The single-machine Argo server: the REST subset that the service uses, and the pods as sandboxed processes."""
