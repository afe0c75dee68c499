"""Argo Server as the service sees it: submit with Hera, query with the argo-workflows client, typed results."""
