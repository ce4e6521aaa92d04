"""Block templates: checks the result of getblocktemplate, keeps it as a frozen value, and makes blocks from it.
Sans-IO.

Hashes are 32 bytes in internal byte order. The transaction hashes in a template are checked, because the pool can
compute them from the transactions. The height and the choice of transactions are not checked, because only the node
knows what they must be (docs/reference/stratum.md#block-template).

The time in the header of a block must be in a range. The template contains the earliest time, and may contain the
latest time. On block chains where nbits depends on the time, the latest time is computed from the time of the previous
block (``with_tip_time``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stratum_miner.bitcoin.block import serialize_block
from stratum_miner.bitcoin.coinbase import TxOut, split_coinbase, with_witness, witness_commitment_script
from stratum_miner.bitcoin.header import MAX_TIME_AHEAD
from stratum_miner.bitcoin.merkle import merkle_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import target_from_bits

KNOWN_RULES: Final = frozenset(["segwit", "signet", "csv", "taproot", "testdummy"])
"""Consensus rules that the blocks of this pool satisfy. If a template marks another rule as required ("!"), the pool
must not mine on that template (BIP 9)."""
MAX_HEIGHT: Final = 1 << 31
"""Highest block height that is accepted."""
MAX_VALUE: Final = 21_000_000 * 100_000_000
"""Upper limit for fees and coinbase values: the number of satoshis that can ever exist."""
MAX_UINT32: Final = (1 << 32) - 1
"""Highest value of a field of 32 bits, such as the version and the time in a header."""
MAX_TIME: Final = MAX_UINT32
"""Latest unix time that the 32 bits of a header can hold."""
MAX_FLAGS: Final = 16
"""Maximum number of bytes in the field coinbaseaux of a template. These bytes become part of the coinbase script, which
also contains height, extranonces and tag. Bitcoin Core leaves the field empty."""
MIN_DIFFICULTY_SECONDS: Final = 1200
"""A block of testnet3 or testnet4 has the lowest difficulty if it is more than this many seconds later than the
previous block. The value is twice the target spacing (Bitcoin Core, pow.cpp, GetNextWorkRequired)."""
SHOWN: Final = 100
"""Maximum number of characters of a wrong value that an error message shows."""
OP_TRUE: Final = "51"
"""The challenge, in hex, of a signet on which anybody may make blocks."""
_WITNESS_MARKER: Final = b"\x00\x01"


class TemplateError(ValueError):
    """A template that cannot be mined. The message names the field, what was expected and what came."""


class UnsuitableTemplateError(TemplateError):
    """A template of a kind that this pool cannot mine. The node's next template will have the same error."""


@dataclass(frozen=True, slots=True)
class TemplateTransaction:
    """A transaction that the node chose for the next block."""

    data: bytes
    """The transaction, serialized with its witness."""
    txid: bytes
    """Hash without the witness, 32 bytes in internal byte order."""
    wtxid: bytes
    """Hash with the witness, 32 bytes in internal byte order."""
    fee: int = 0
    """Fee of the transaction in satoshis."""

    @property
    def has_witness(self) -> bool:
        """Whether the transaction is serialized with marker and flag (BIP 144)."""
        return self.data[4:6] == _WITNESS_MARKER


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTemplate:
    """What the next block must contain, except for the coinbase."""

    height: int
    """Height of the next block."""
    previous_hash: bytes
    """Hash of the previous block, 32 bytes in internal byte order."""
    version: int
    """Version of the header as an unsigned integer. The pool clears the bits that miners may roll."""
    nbits: int
    """The network target in compact form."""
    curtime: int
    """The node's clock (unix time), or ``mintime`` if that is later. ``time_at`` gives the time for a header."""
    mintime: int = 0
    """Earliest unix time for the header: median time past + 1."""
    maxtime: int | None = None
    """Latest unix time for a header with this ``nbits``; None if only the clock limits the time."""
    rules: frozenset[str] = frozenset()
    """Consensus rules that the node names. A leading "!" (required rule) is removed."""
    coinbase_value: int = 0
    """Satoshis that the coinbase may pay: subsidy and fees."""
    transactions: tuple[TemplateTransaction, ...] = ()
    """The transactions after the coinbase, in the order of the block."""
    witness_commitment: bytes | None = None
    """Output script with the witness commitment of BIP 141. None if segwit is not active yet; a block must then not
    contain any witness."""
    coinbase_flags: bytes = b""
    """The bytes of coinbaseaux, which the coinbase script contains after the height (BIP 22)."""
    longpoll_id: str | None = None
    """The id to send with a long poll for the next template (BIP 22); None if the node has no long poll."""
    merkle_branch: tuple[bytes, ...] = field(init=False, compare=False, repr=False)
    """The merkle branch of the coinbase, lowest level first, hashes in internal byte order."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "merkle_branch", merkle_branch([item.txid for item in self.transactions]))

    def time_at(self, age: float) -> int:
        """Return the unix time for a header, ``age`` seconds after the node gave this template.

        The time is within the range that the template allows. If ``curtime`` is not after ``mintime``, ``age`` is
        ignored: Bitcoin Core has then raised ``curtime`` to ``mintime``, so ``curtime`` is not the node's clock.
        """
        now = self.curtime + int(age) if self.curtime > self.mintime else self.mintime
        return min(now, MAX_TIME if self.maxtime is None else self.maxtime)

    def seconds_left(self) -> float | None:
        """Return the seconds from the arrival of the template until the node's clock passes ``maxtime``. The node then
        has another template, for which the pool should ask.

        Return None if there is no ``maxtime``, if ``maxtime`` had already passed when the template arrived, or if
        ``curtime`` is not the node's clock (see ``time_at``).
        """
        if self.maxtime is None or self.maxtime < self.curtime or self.curtime <= self.mintime:
            return None
        return self.maxtime + 1 - self.curtime

    def same_block(self, other: "BlockTemplate") -> bool:
        """Return whether two templates are the same except for their times."""
        return self._block() == other._block()

    def invalidates(self, other: "BlockTemplate") -> bool:
        """Return whether a block made from ``other``, an earlier template, may be invalid now that the node has given
        this template.

        If the templates have the same ``nbits``, the block stays valid if they differ only in transactions or version
        bits. On some test chains, ``nbits`` depends on the block's time, so the templates can differ in ``nbits``
        because each is for its own range of times. The block then stays valid if these two ranges do not overlap. If
        they overlap, the times in both ranges have two values of ``nbits``, so that one of the two must be wrong.
        """
        if (self.previous_hash, self.height, self.rules) != (other.previous_hash, other.height, other.rules):
            return True
        if self.nbits != other.nbits:
            return not (_ends_before(other, self) or _ends_before(self, other))
        if self.transactions == other.transactions and self.coinbase_value < other.coinbase_value:
            return True
        return self.maxtime is not None and (other.maxtime is None or self.maxtime < other.maxtime)

    def _block(self) -> tuple[object, ...]:
        return (
            self.previous_hash,
            self.height,
            self.version,
            self.nbits,
            self.rules,
            self.coinbase_value,
            self.transactions,
            self.witness_commitment,
            self.coinbase_flags,
        )


def _ends_before(one: BlockTemplate, other: BlockTemplate) -> bool:
    return one.maxtime is not None and one.maxtime < other.time_at(0)


def with_tip_time(template: BlockTemplate, tip_time: int | None) -> BlockTemplate:
    """Return ``template``, which is for testnet3 or testnet4, with a ``maxtime`` so early that ``nbits`` is right for
    all times up to it. If no limit is needed, return ``template`` unchanged.

    ``tip_time`` is the time in the header of the previous block. If it is not known (None), the median time past is
    used instead, which is never later than the time of the previous block. The ``maxtime`` is never earlier than the
    template's own time.
    """
    own = template.time_at(0)
    last = (template.mintime - 1 if tip_time is None else tip_time) + MIN_DIFFICULTY_SECONDS
    if own > last:
        if tip_time is not None:
            # the template is for a block of the lowest difficulty, whose nbits stays right for all later times
            return template
        last = own
    return replace(template, maxtime=last if template.maxtime is None else min(last, template.maxtime))


def coinbase_parts(
    template: BlockTemplate, *, payout_script: bytes, extranonce_size: int, tag: bytes = b""
) -> tuple[bytes, bytes]:
    """Return the coinbase without witness in two parts: before and after the extranonces of ``extranonce_size`` bytes.

    The coinbase pays its whole value to ``payout_script``. Raises ValueError if the coinbase script would exceed 100
    bytes.
    """
    outputs = [TxOut(template.coinbase_value, payout_script)]
    if template.witness_commitment is not None:
        outputs.append(TxOut(0, template.witness_commitment))
    split = split_coinbase(
        height=template.height,
        extranonce_size=extranonce_size,
        outputs=outputs,
        tag=tag,
        flags=template.coinbase_flags,
    )
    return split.prefix, split.suffix


def assemble_block(template: BlockTemplate, coinbase: bytes, header: bytes) -> bytes:
    """Return the serialized block. ``coinbase`` is without witness, as miners hash it; ``header`` has 80 bytes."""
    first = coinbase if template.witness_commitment is None else with_witness(coinbase)
    return serialize_block(header, [first, *(item.data for item in template.transactions)])


# ---- from JSON-RPC -----------------------------------------------------------------------------------------------


def template_from_rpc(reply: object, before: BlockTemplate | None = None) -> BlockTemplate:
    """Check the result of getblocktemplate and return it as a template.

    Nodes other than Core leave fields out: mintime, maxtime, coinbaseaux, longpollid, vbrequired and the witness
    commitment are optional. A missing commitment is computed if segwit is active. ``before`` is the previous template.
    A transaction that is also in ``before`` is taken from there. This saves time: a full block has thousands of
    transactions, and most of them stay the same from one template to the next.

    Raises TemplateError, which names the first field that is missing or wrong, and UnsuitableTemplateError if this pool
    cannot mine templates of this kind.
    """
    if not isinstance(reply, dict):
        raise TemplateError(f"getblocktemplate: expected an object, got {_shown(reply)}")
    rules = _check_rules(reply.get("rules"))
    if _integer(reply, "vbrequired", 0, MAX_UINT32, default=0):
        raise UnsuitableTemplateError(f"getblocktemplate: vbrequired: expected 0, got {_shown(reply['vbrequired'])}")
    if "coinbasevalue" not in reply and "coinbasetxn" in reply:
        raise UnsuitableTemplateError(
            "getblocktemplate: expected coinbasevalue, got a finished coinbasetxn, which pays to other addresses"
        )
    check_signet_challenge(reply.get("signet_challenge"))
    curtime = _integer(reply, "curtime", 1, MAX_TIME)
    mintime = _integer(reply, "mintime", 0, min(curtime + MAX_TIME_AHEAD, MAX_TIME), default=0)
    known = {} if before is None else {item.wtxid: item for item in before.transactions}
    transactions = _transactions(reply.get("transactions"), known)
    return BlockTemplate(
        height=_integer(reply, "height", 1, MAX_HEIGHT),
        previous_hash=_hash(reply, "previousblockhash", "getblocktemplate"),
        version=_integer(reply, "version", -(1 << 31), MAX_UINT32) & MAX_UINT32,
        nbits=_nbits(reply),
        curtime=curtime,
        mintime=mintime,
        maxtime=None if reply.get("maxtime") is None else _integer(reply, "maxtime", mintime, MAX_TIME),
        rules=rules or frozenset(),
        coinbase_value=_integer(reply, "coinbasevalue", 0, MAX_VALUE),
        transactions=transactions,
        witness_commitment=_commitment(reply, transactions, rules),
        coinbase_flags=_flags(reply.get("coinbaseaux")),
        longpoll_id=_longpoll_id(reply.get("longpollid")),
    )


def check_signet_challenge(challenge: object) -> None:
    """Raise UnsuitableTemplateError if the blocks of a signet must be signed.

    ``challenge`` is the field signet_challenge of the node's reply, or None.
    """
    if challenge not in (None, OP_TRUE):
        raise UnsuitableTemplateError(
            "blocks of this signet must be signed, and only the holders of its keys can do that. "
            "Mine on a signet of your own with -signetchallenge=51, on testnet4 or on regtest"
        )


def _check_rules(rules: object) -> frozenset[str] | None:
    if rules is None:
        return None
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise TemplateError(f"getblocktemplate: rules: expected a list of strings, got {_shown(rules)}")
    unknown = sorted(rule[1:] for rule in rules if rule.startswith("!") and rule[1:] not in KNOWN_RULES)
    if unknown:
        raise UnsuitableTemplateError(
            f"getblocktemplate: rules: the node requires {_shown(unknown)}, which this version of stratum-miner does "
            "not know. Update stratum-miner"
        )
    return frozenset(rule.removeprefix("!") for rule in rules)


def _transactions(items: object, known: Mapping[bytes, TemplateTransaction]) -> tuple[TemplateTransaction, ...]:
    if not isinstance(items, list):
        raise TemplateError(f"getblocktemplate: transactions: expected a list, got {_shown(items)}")
    transactions = tuple(_transaction(index, item, known) for index, item in enumerate(items))
    if len({item.txid for item in transactions}) != len(transactions):
        raise TemplateError("getblocktemplate: transactions: expected each transaction once, got one twice")
    return transactions


def _transaction(index: int, item: object, known: Mapping[bytes, TemplateTransaction]) -> TemplateTransaction:
    where = f"getblocktemplate: transactions[{index}]"
    if not isinstance(item, dict):
        raise TemplateError(f"{where}: expected an object, got {_shown(item)}")
    data = _hex(item.get("data"), f"{where}.data")
    txid = _hash(item, "txid", where)
    fee = _integer(item, "fee", 0, MAX_VALUE, where, default=0)
    if "hash" in item:
        same = known.get(_hash(item, "hash", where))
        if same is not None and (same.data, same.txid, same.fee) == (data, txid, fee):
            return same
    wtxid = sha256d(data)
    transaction = TemplateTransaction(data=data, txid=txid, wtxid=wtxid, fee=fee)
    if len(data) < 10:
        raise TemplateError(f"{where}.data: expected a transaction, got {len(data)} bytes")
    if "hash" in item and _hash(item, "hash", where) != wtxid:
        raise TemplateError(
            f"{where}.hash: expected {wtxid[::-1].hex()}, the hash of its data, got {_shown(item['hash'])}"
        )
    if not transaction.has_witness and transaction.txid != wtxid:
        raise TemplateError(
            f"{where}.txid: expected {wtxid[::-1].hex()}, the hash of its data, got {_shown(item['txid'])}"
        )
    return transaction


def _commitment(
    reply: dict[str, Any], transactions: Sequence[TemplateTransaction], rules: frozenset[str] | None
) -> bytes | None:
    given = reply.get("default_witness_commitment")
    if not any(item.has_witness for item in transactions):
        listed = given is not None if rules is None else "segwit" in rules
        if not listed:  # bcoin gives a commitment even if a witness is not allowed
            return None
    expected = witness_commitment_script([item.wtxid for item in transactions])
    if given is not None and _hex(given, "getblocktemplate: default_witness_commitment") != expected:
        raise TemplateError(
            f"getblocktemplate: default_witness_commitment: expected {expected.hex()} for these transactions, "
            f"got {_shown(given)}"
        )
    return expected


def _nbits(reply: dict[str, Any]) -> int:
    raw = _hex(reply.get("bits"), "getblocktemplate: bits")
    if len(raw) != 4:
        raise TemplateError(f"getblocktemplate: bits: expected 8 hex digits, got {_shown(reply['bits'])}")
    nbits = int.from_bytes(raw, "big")
    try:
        target_from_bits(nbits)
    except ValueError as error:
        raise TemplateError(f"getblocktemplate: bits: {error}") from None
    return nbits


def _flags(aux: object) -> bytes:
    if aux is None:
        return b""
    if not isinstance(aux, dict):
        raise TemplateError(f"getblocktemplate: coinbaseaux: expected an object, got {_shown(aux)}")
    flags = b"".join(_hex(value, f"getblocktemplate: coinbaseaux.{_shown(key)}") for key, value in aux.items())
    if len(flags) > MAX_FLAGS:
        raise TemplateError(f"getblocktemplate: coinbaseaux: expected at most {MAX_FLAGS} bytes, got {len(flags)}")
    return flags


def _longpoll_id(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > 1000):
        raise TemplateError(f"getblocktemplate: longpollid: expected up to 1000 characters, got {_shown(value)}")
    return value or None


def _integer(
    source: dict[str, Any],
    key: str,
    low: int,
    high: int,
    where: str = "getblocktemplate",
    *,
    default: int | None = None,
) -> int:
    value = source.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise TemplateError(f"{where}: {key}: expected an integer from {low} to {high}, got {_shown(value)}")
    return value


def _hash(source: dict[str, Any], key: str, where: str) -> bytes:
    value = source.get(key)
    raw = _hex(value, f"{where}: {key}")
    if len(raw) != 32:
        raise TemplateError(f"{where}: {key}: expected 64 hex digits, got {_shown(value)}")
    return raw[::-1]


def _hex(value: object, where: str) -> bytes:
    if not isinstance(value, str) or not value.isascii() or (value and not value.isalnum()):
        raise TemplateError(f"{where}: expected hex digits, got {_shown(value)}")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise TemplateError(f"{where}: expected hex digits, got {_shown(value)}") from None


def _shown(value: object) -> str:
    """Return a value from the node as one short line for an error message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list) and len(value) > 8:
        return f"a {type(value).__name__} of {len(value)}"
    text = ascii(value[:SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
