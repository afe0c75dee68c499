"""The whole service on one machine: development chain, embedded Argo server and API as one process tree."""
