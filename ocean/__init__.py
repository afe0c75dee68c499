"""Ocean's protocol as a library: no web server, no Argo."""

from ocean import imports as _imports

_imports.mend()
