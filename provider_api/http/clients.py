"""Whom requests are counted for."""

from __future__ import annotations

import ipaddress


def client_name(address: str) -> str:
    """Whom an address stands for: an IPv4 address for itself, an IPv6 address for its network of 64 bits."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Address(int(found) >> 64 << 64))
    return str(found)
