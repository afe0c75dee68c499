"""Everything that talks to a chain: contracts, networks, the metadata index, orders, publishing, the development chain."""
