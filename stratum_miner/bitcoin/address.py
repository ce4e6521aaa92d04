"""Converts payout addresses to output scripts and back: base58check, bech32 (BIP 173) and bech32m (BIP 350)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from stratum_miner.bitcoin.sha256d import sha256d

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CONSTANT, _BECH32M_CONSTANT = 1, 0x2BC830A3
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
MAX_LENGTH = 90
"""Maximum number of characters of an address. It is the limit of bech32 (BIP 173); base58 addresses are shorter."""


class AddressError(ValueError):
    """A text is not an address, or it is an address of another network."""


class Network(Enum):
    """The Bitcoin networks. Testnet, signet and regtest use the same version bytes in base58 addresses."""

    MAINNET = "mainnet"
    TESTNET = "testnet"
    SIGNET = "signet"
    REGTEST = "regtest"


@dataclass(frozen=True, slots=True)
class _Prefixes:
    pubkey_hash: int
    script_hash: int
    bech32: str


_PREFIXES = {
    Network.MAINNET: _Prefixes(0x00, 0x05, "bc"),
    Network.TESTNET: _Prefixes(0x6F, 0xC4, "tb"),
    Network.SIGNET: _Prefixes(0x6F, 0xC4, "tb"),
    Network.REGTEST: _Prefixes(0x6F, 0xC4, "bcrt"),
}


def script_from_address(address: str, network: Network) -> bytes:
    """Return the output script of an address of ``network``.

    Raises AddressError if ``address`` is not an address of ``network``. If it is valid on another network, the message
    names that network.
    """
    if not address or len(address) > MAX_LENGTH or not address.isascii():
        raise AddressError(
            f"expected a {network.value} address of up to {MAX_LENGTH} characters, got {address[:100]!r}"
        )
    hrp = address.lower().rpartition("1")[0]
    if any(hrp == prefixes.bech32 for prefixes in _PREFIXES.values()):
        return _segwit_script(address, network)
    return _base58_script(address, network)


def networks_of_address(text: str) -> frozenset[Network]:
    """Return the networks on which a text is an address; none if it is no address."""
    found = set()
    for network in Network:
        try:
            script_from_address(text, network)
        except AddressError:
            continue
        found.add(network)
    return frozenset(found)


def address_from_script(script: bytes, network: Network) -> str:
    """Return the address of an output script. Raises AddressError if the script has no address."""
    prefixes = _PREFIXES[network]
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return _base58_encode(bytes([prefixes.pubkey_hash]) + script[3:23])
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return _base58_encode(bytes([prefixes.script_hash]) + script[2:22])
    if len(script) >= 4 and (script[0] == 0 or 0x51 <= script[0] <= 0x60) and script[1] == len(script) - 2:
        version = script[0] - 0x50 if script[0] else 0
        if _program_fits(version, script[1]):
            return _bech32_encode(prefixes.bech32, version, script[2:])
    raise AddressError(f"expected a script with an address, got {script[:50].hex()}")


# ---- base58check -------------------------------------------------------------------------------------------------


def _base58_script(address: str, network: Network) -> bytes:
    payload = _base58_decode(address)
    if len(payload) != 21:
        raise AddressError(f"address {address!r}: expected 21 bytes, got {len(payload)}")
    version, digest, prefixes = payload[0], payload[1:], _PREFIXES[network]
    if version == prefixes.pubkey_hash:
        return b"\x76\xa9\x14" + digest + b"\x88\xac"
    if version == prefixes.script_hash:
        return b"\xa9\x14" + digest + b"\x87"
    raise AddressError(f"address {address!r}: expected one of {network.value}, got one of {_owner_of_version(version)}")


def _owner_of_version(version: int) -> str:
    owners = [n.value for n, p in _PREFIXES.items() if version in (p.pubkey_hash, p.script_hash)]
    return "/".join(owners) or f"another chain (version {version})"


def _base58_decode(address: str) -> bytes:
    number = 0
    for character in address:
        digit = _BASE58.find(character)
        if digit < 0:
            raise AddressError(
                f"address {address!r}: {character!r} is not a base58 character, and the address begins with no known "
                "bech32 prefix"
            )
        number = number * 58 + digit
    zeros = len(address) - len(address.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if sha256d(data[:-4])[:4] != data[-4:]:
        raise AddressError(f"address {address!r}: the checksum is wrong: a typing mistake?")
    return data[:-4]


def _base58_encode(payload: bytes) -> str:
    data = payload + sha256d(payload)[:4]
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


# ---- bech32 and bech32m ------------------------------------------------------------------------------------------


def _segwit_script(address: str, network: Network) -> bytes:
    version, program = _bech32_decode(address)
    hrp = address.lower().rpartition("1")[0]
    if hrp != _PREFIXES[network].bech32:
        owners = "/".join(owner.value for owner, prefixes in _PREFIXES.items() if prefixes.bech32 == hrp)
        raise AddressError(f"address {address!r}: expected one of {network.value}, got one of {owners}")
    opcode = 0x50 + version if version else 0
    return bytes([opcode, len(program)]) + program


def _bech32_decode(address: str) -> tuple[int, bytes]:
    if address not in (address.lower(), address.upper()):
        raise AddressError(f"address {address!r}: upper and lower case are mixed")
    hrp, _, data = address.lower().rpartition("1")
    values = [_BECH32.find(character) for character in data]
    if len(values) < 7 or -1 in values:
        raise AddressError(f"address {address!r}: expected bech32 characters after {hrp}1")
    version = values[0]
    constant = _polymod([*_expand(hrp), *values])
    if constant not in (_BECH32_CONSTANT, _BECH32M_CONSTANT):
        raise AddressError(f"address {address!r}: the checksum is wrong: a typing mistake?")
    if version > 16:
        raise AddressError(f"address {address!r}: expected witness version 0 to 16, got {version}")
    if constant != _constant(version):
        wanted = "bech32m" if version else "bech32"
        raise AddressError(f"address {address!r}: expected a {wanted} checksum for witness version {version}")
    program = _regroup(values[1:-6], 5, 8, pad=False)
    if program is None or not _program_fits(version, len(program)):
        raise AddressError(f"address {address!r}: expected a witness program of valid length and padding")
    return version, bytes(program)


def _bech32_encode(hrp: str, version: int, program: bytes) -> str:
    values = [version, *(_regroup(program, 8, 5, pad=True) or ())]
    checksum = _polymod([*_expand(hrp), *values, 0, 0, 0, 0, 0, 0]) ^ _constant(version)
    values += [checksum >> 5 * (5 - index) & 31 for index in range(6)]
    return hrp + "1" + "".join(_BECH32[value] for value in values)


def _constant(version: int) -> int:
    return _BECH32M_CONSTANT if version else _BECH32_CONSTANT


def _program_fits(version: int, size: int) -> bool:
    return size in (20, 32) if version == 0 else 2 <= size <= 40


def _expand(hrp: str) -> list[int]:
    return [ord(character) >> 5 for character in hrp] + [0] + [ord(character) & 31 for character in hrp]


def _polymod(values: Iterable[int]) -> int:
    """Return the BCH checksum of five-bit values, as BIP 173 defines it."""
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _regroup(values: Iterable[int], from_bits: int, to_bits: int, *, pad: bool) -> list[int] | None:
    """Join ``values``, which have ``from_bits`` bits each, to one row of bits, and divide this row into values of
    ``to_bits`` bits.

    An incomplete last group is filled up with zero bits if ``pad`` is true, and dropped otherwise. Return None if a
    dropped bit is not zero, or if ``from_bits`` bits or more would be dropped.
    """
    accumulator = bits = 0
    result: list[int] = []
    for value in values:
        accumulator = accumulator << from_bits | value
        bits += from_bits
        while bits >= to_bits:
            bits -= to_bits
            result.append(accumulator >> bits & (1 << to_bits) - 1)
        accumulator &= (1 << bits) - 1
    if pad:
        if bits:
            result.append(accumulator << (to_bits - bits))
        return result
    return None if bits >= from_bits or accumulator else result
