"""A block to be: what a node gives with getblocktemplate, checked once and frozen; and the block made from it.

Sans-IO. Hashes are 32 bytes in internal order. A node is believed in what only it can know (which transactions, which
height), not in what can be computed: transaction hashes are checked against the transactions (stratum.md 6.1, 6.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stratum_miner.bitcoin.block import serialize_block
from stratum_miner.bitcoin.coinbase import TxOut, split_coinbase, with_witness, witness_commitment_script
from stratum_miner.bitcoin.merkle import merkle_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import target_from_bits

KNOWN_RULES: Final = frozenset(["segwit", "signet", "csv", "taproot", "testdummy"])
"""Rules that blocks made here satisfy; a template that insists ("!") on another must not be mined on (BIP 9)."""
MAX_HEIGHT: Final = 1 << 31
MAX_VALUE: Final = 21_000_000 * 100_000_000
"""Satoshis: more than a coinbase can ever be worth."""
MAX_FLAGS: Final = 16
"""Bytes of coinbaseaux that fit beside height, extranonces and tag; Core sends none today."""
OP_TRUE: Final = "51"
"""The challenge of a signet whose blocks anyone may make."""
_WITNESS_MARKER: Final = b"\x00\x01"


class TemplateError(ValueError):
    """A template that cannot be mined on; the message says which field, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class TemplateTransaction:
    """A transaction the node chose, serialized with its witness; hashes in internal order, the fee in satoshis."""

    data: bytes
    txid: bytes
    wtxid: bytes
    fee: int = 0

    @property
    def has_witness(self) -> bool:
        """Whether it is serialized with marker and flag (BIP 144)."""
        return self.data[4:6] == _WITNESS_MARKER


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTemplate:
    """What the next block must contain, the coinbase aside."""

    height: int
    previous_hash: bytes
    version: int
    """Unsigned; the pool clears the bits that miners may roll."""
    nbits: int
    curtime: int
    """Unix time for the header now; may advance with the clock."""
    mintime: int = 0
    """Earliest time for the header: median time past + 1."""
    coinbase_value: int = 0
    """Subsidy and fees, satoshis: what the coinbase may pay."""
    transactions: tuple[TemplateTransaction, ...] = ()
    witness_commitment: bytes | None = None
    """Output script of BIP 141; None before segwit is active, when a witness in the coinbase would be an error."""
    coinbase_flags: bytes = b""
    """coinbaseaux: goes into the coinbase script after the height (BIP 22)."""
    longpoll_id: str | None = None
    merkle_branch: tuple[bytes, ...] = field(init=False, compare=False, repr=False)
    """Siblings of the coinbase, lowest first."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "merkle_branch", merkle_branch([item.txid for item in self.transactions]))


def coinbase_parts(
    template: BlockTemplate, *, payout_script: bytes, extranonce_size: int, tag: bytes = b""
) -> tuple[bytes, bytes]:
    """The coinbase without witness, before and after an extranonce of ``extranonce_size`` bytes.

    It pays everything to ``payout_script``. ValueError when the coinbase script would exceed 100 bytes.
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
    """The whole block; ``coinbase`` without witness, as miners hash it, and an 80-byte header."""
    first = coinbase if template.witness_commitment is None else with_witness(coinbase)
    return serialize_block(header, [first, *(item.data for item in template.transactions)])


# ---- from JSON-RPC -----------------------------------------------------------------------------------------------


def template_from_rpc(reply: object) -> BlockTemplate:
    """Check the result of getblocktemplate. TemplateError names the first field that is missing or wrong.

    Nodes other than Core leave fields out: mintime, coinbaseaux, longpollid, vbrequired and the witness commitment are
    optional. The commitment is computed when it is absent though segwit is active.
    """
    if not isinstance(reply, dict):
        raise TemplateError(f"getblocktemplate: expected an object, got {_shown(reply)}")
    rules = _check_rules(reply.get("rules"))
    if _integer(reply, "vbrequired", 0, (1 << 32) - 1, default=0):
        raise TemplateError(f"getblocktemplate: vbrequired: expected 0, got {_shown(reply['vbrequired'])}")
    if "coinbasevalue" not in reply and "coinbasetxn" in reply:
        raise TemplateError("getblocktemplate: expected coinbasevalue, got a finished coinbasetxn, which pays others")
    if reply.get("signet_challenge") not in (None, OP_TRUE):
        raise TemplateError("getblocktemplate: this signet wants its blocks signed, which is not done here")
    curtime = _integer(reply, "curtime", 1, (1 << 32) - 1)
    transactions = _transactions(reply.get("transactions"))
    return BlockTemplate(
        height=_integer(reply, "height", 1, MAX_HEIGHT),
        previous_hash=_hash(reply, "previousblockhash", "getblocktemplate"),
        version=_integer(reply, "version", -(1 << 31), (1 << 32) - 1) & 0xFFFFFFFF,
        nbits=_nbits(reply),
        curtime=curtime,
        mintime=_integer(reply, "mintime", 0, curtime, default=0),
        coinbase_value=_integer(reply, "coinbasevalue", 0, MAX_VALUE),
        transactions=transactions,
        witness_commitment=_commitment(reply, transactions, rules),
        coinbase_flags=_flags(reply.get("coinbaseaux")),
        longpoll_id=_longpoll_id(reply.get("longpollid")),
    )


def _check_rules(rules: object) -> frozenset[str] | None:
    if rules is None:
        return None
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise TemplateError(f"getblocktemplate: rules: expected a list of strings, got {_shown(rules)}")
    unknown = sorted(rule[1:] for rule in rules if rule.startswith("!") and rule[1:] not in KNOWN_RULES)
    if unknown:
        raise TemplateError(f"getblocktemplate: rules: the node insists on {_shown(unknown)}, which is not known here")
    return frozenset(rule.removeprefix("!") for rule in rules)


def _transactions(items: object) -> tuple[TemplateTransaction, ...]:
    if not isinstance(items, list):
        raise TemplateError(f"getblocktemplate: transactions: expected a list, got {_shown(items)}")
    transactions = tuple(_transaction(index, item) for index, item in enumerate(items))
    if len({item.txid for item in transactions}) != len(transactions):
        raise TemplateError("getblocktemplate: transactions: expected each one once, got one twice")
    return transactions


def _transaction(index: int, item: object) -> TemplateTransaction:
    where = f"getblocktemplate: transactions[{index}]"
    if not isinstance(item, dict):
        raise TemplateError(f"{where}: expected an object, got {_shown(item)}")
    data = _hex(item.get("data"), f"{where}.data")
    wtxid = sha256d(data)
    transaction = TemplateTransaction(
        data=data,
        txid=_hash(item, "txid", where),
        wtxid=wtxid,
        fee=_integer(item, "fee", 0, MAX_VALUE, where, default=0),
    )
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
        if not listed:  # bcoin gives a commitment also where a witness would be an error
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
    """Something foreign for an error message: one line, never long."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list) and len(value) > 8:
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, str):
        value = value[:100]
    text = ascii(value)
    return text if len(text) <= 100 else text[:100] + "…"
