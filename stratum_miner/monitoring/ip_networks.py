"""The type of a range of IP addresses, which the APIs use to decide which clients they answer."""

import ipaddress

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
