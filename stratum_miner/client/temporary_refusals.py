"""Recognizes refusals of a worker name that are temporary, because the cause is a problem of the pool itself."""

PHRASES: dict[str, str] = {
    "internal error": "btccom/btcpool, src/Stratum.cc: StratumError::INTERNAL_ERROR",
    "internal server error": "luke-jr/bfgminer#823 (Slush Pool), nicehash/NiceHashMiner#510",
    "try again later": "nicehash/NiceHashMiner#510: the advice for an error on the server's side",
    "try later": "the same in fewer words",
    "temporarily": "janfiedler/mineiota#107: a proxy of a pool, resource temporarily unavailable",
    "unavailable": "RFC 9110, 15.6.4: how a web service says that it is overloaded or maintained for a while",
    "overloaded": "RFC 9110, 15.6.4",
    "maintenance": "RFC 9110, 15.6.4",
    "too many connections": "Stratehm/stratum-proxy#111; also what MySQL says to a pool (error 1040)",
    "is busy": "rahimkhoja/monero-universal-pool#5, sammy007/monero-stratum#71: the node of a pool is behind",
    "still syncing": "zone117x/node-open-mining-portal#615: the node of a pool is behind",
    "not synced": "zack-bitcoin/amoveo-mining-pool#5: the node of a pool is behind",
    "has gone away": "cryptopool-builders/yiimp#55: MySQL error 2006",
    "connection lost": "Crypto-Expert/stratum-mining#105: a pool that lost its database",
    "lost connection": "MySQL error 2013, which the pools of Crypto-Expert/stratum-mining#152 pass on with a traceback",
    "database is locked": "SQLite's SQLITE_BUSY; public-pool keeps its workers in SQLite",
    "database error": "Crypto-Expert/stratum-mining#105 again, in the words of its log",
    "connection refused": "zone117x/node-cryptonote-pool#296: a pool whose Redis or node is down",
    "econnrefused": "zone117x/node-cryptonote-pool#296",
}
"""Maps phrases, in lower case, to their sources. A refusal that contains one of the phrases counts as temporary."""


def is_temporary_refusal(refusal: str) -> bool:
    """Return whether a pool's refusal says that the pool may accept the same worker name later."""
    words = refusal.lower()
    return any(phrase in words for phrase in PHRASES)
