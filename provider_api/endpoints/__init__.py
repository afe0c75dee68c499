"""The HTTP endpoints: parameters in, one call, answer out. Each route stands below its description."""
