"""The command line of consumers, publishers and owners: `c2d` against any Provider, without a service here."""
