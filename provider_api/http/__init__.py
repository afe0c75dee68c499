"""HTTP below the routes: the protocol's limits, transport, answers' bodies, and the shapes that errors have."""
