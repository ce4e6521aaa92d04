"""A type for a range of IP addresses. The APIs use such ranges to decide which clients they answer."""

import ipaddress

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
