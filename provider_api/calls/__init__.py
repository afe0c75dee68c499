"""Who asks, and with what: parameters and the rules of their fields, signatures, wallets, tokens."""
