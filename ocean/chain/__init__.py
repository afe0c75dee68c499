"""Everything that talks to a chain: contracts, networks, metadata index, orders, publishing, the development chain."""
