"""Which IP addresses are public: everything a stranger's name may lead to.

A list of our own instead of `ipaddress.is_global`, whose answers differ between Python versions. An IPv6 address
that merely wraps an IPv4 address (mapped, NAT64) is judged by the wrapped one; other wrappings (6to4, Teredo,
compatible) are out of use and refused.
"""

from __future__ import annotations

import ipaddress
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NOT_PUBLIC_V4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also a cloud's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, on an otherwise public address
        "169.254.0.0/16",  # link-local; also most clouds' metadata service
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relay
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # special purposes, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def public_blocks() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """All public addresses as ranges with exceptions, as policies of a network want them."""
    return (
        ("0.0.0.0/0", tuple(map(str, _NOT_PUBLIC_V4))),
        (str(_GLOBAL_V6), tuple(map(str, _NOT_PUBLIC_V6))),
    )


def unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address inside a mapped or NAT64 address, otherwise the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: IPAddress) -> bool:
    """True for an address of the public internet."""
    inner = unwrapped(address)
    if isinstance(inner, ipaddress.IPv4Address):
        return not any(inner in network for network in _NOT_PUBLIC_V4)
    return inner.scope_id is None and inner in _GLOBAL_V6 and not any(inner in network for network in _NOT_PUBLIC_V6)
