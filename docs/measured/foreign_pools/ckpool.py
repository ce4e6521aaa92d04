"""Exchanges by hand with ckpool-lhr: python -m docs.measured.foreign_pools.ckpool HOST:PORT [NAME...]."""

import time

from docs.measured.foreign_pools.exchanges import (
    CLOSED,
    SILENT,
    Message,
    Pool,
    Session,
    Table,
    accepted,
    late_block,
    refused,
    run,
    unread_replies,
)

TABLE = Table("ckpool-lhr")
exchange = TABLE.exchange


def _mask(session: Session, params: object) -> int:
    """The version mask of the reply to mining.configure, or -1."""
    result = session.call("mining.configure", params).get("result")
    return int(result["version-rolling.mask"], 16) if isinstance(result, dict) else -1


@exchange("EXT-02, EXT-03, EXT-07", "It grants version bits for which the miner did not ask.")
def grants_other_version_bits(pool: Pool) -> bool:
    masks = {}
    for asked in ("000fe000", "00000000", "00ffe000"):
        with pool.connect() as session:
            masks[asked] = _mask(session, [["version-rolling"], {"version-rolling.mask": asked}])
    return (
        all(granted & ~int(asked, 16) for asked, granted in masks.items() if granted >= 0) and -1 not in masks.values()
    )


@exchange("EXT-05, EXT-08", "It grants version rolling to a miner that does not ask for it.")
def grants_what_was_not_asked(pool: Pool) -> bool:
    granted = []
    for params in ([["minimum-difficulty"], {"minimum-difficulty.value": 1}], []):
        with pool.connect() as session:
            granted.append(_mask(session, params))
    return granted[0] > 0 and granted[1] > 0


@exchange("EXT-11", "It sets the difficulty 1e308 for a miner that suggests it, and repairs it at the next suggestion.")
def sets_an_absurd_difficulty(pool: Pool) -> bool:
    with pool.joined() as session:
        asked = session.difficulty
        session.send('{"id": 9, "method": "mining.suggest_difficulty", "params": [1e308]}')
        session.listen(3)
        absurd = session.difficulty
        session.send(f'{{"id": 10, "method": "mining.suggest_difficulty", "params": [{asked}]}}')
        session.listen(3)
        return absurd == 1e308 and session.difficulty == asked


@exchange("FRM-20", "It sends no reply to an unknown method, and goes on serving the connection.")
def unknown_method_is_unanswered(pool: Pool) -> bool:
    with pool.joined() as session:
        silent = session.call("mining.unknown_to_everyone", [], 5) is SILENT
        return silent and accepted(session.submit(session.share()))


@exchange("FRM-21", "It refuses mining.authorize with params null, and leaves the valid one after it unanswered.")
def authorize_after_null_is_unanswered(pool: Pool) -> bool:
    with pool.connect() as session:
        session.subscribe()
        first = session.call("mining.authorize", None)
        return refused(first) and session.call("mining.authorize", [session.user, "x"]) is SILENT


@exchange("HS-13", "It sends no reply to a second mining.authorize on a connection.")
def second_authorize_is_unanswered(pool: Pool) -> bool:
    with pool.joined() as session:
        return session.call("mining.authorize", [session.user, "x"]) is SILENT


@exchange("HS-16", "A connection on which the client sends nothing is still open after 130 s.")
def idle_connection_stays_open(pool: Pool) -> bool:
    with pool.connect() as session:
        return CLOSED not in session.listen(130)


def _taken_once(pool: Pool, change: str) -> bool:
    """Whether a share with two digits appended is accepted, and the same share without them afterwards is refused."""
    with pool.joined() as session:
        job, extranonce2, ntime, nonce = share = session.share()
        longer = {
            "nonce": (job, extranonce2, ntime, nonce + "00"),
            "extranonce2": (job, extranonce2 + "00", ntime, nonce),
        }
        return accepted(session.submit(longer[change])) and refused(session.submit(share))


@exchange("ERR-16", "It accepts a share whose nonce has two digits too many, and then refuses the share itself.")
def long_nonce_is_cut(pool: Pool) -> bool:
    return _taken_once(pool, "nonce")


@exchange("ERR-31", "It accepts a share whose extranonce2 has a byte too many, and then refuses the share itself.")
def long_extranonce2_is_cut(pool: Pool) -> bool:
    return _taken_once(pool, "extranonce2")


@exchange("ERR-21", "It accepts a share with version bits that are not hex digits, as if they were zero.")
def version_bits_that_are_no_hex(pool: Pool) -> bool:
    with pool.joined(configure=True) as session:
        return accepted(session.submit(session.share(), "zzzzzzzz"))


@exchange("FRM-05", "It closes a connection in the middle of a session on an empty line, and takes one at its start.")
def empty_line_closes(pool: Pool) -> bool:
    with pool.connect() as session:
        session.send(b"\n" + b'{"id": 1, "method": "mining.subscribe", "params": []}\n')
        at_start = session.reply(1)
    with pool.joined() as session:
        session.send(b"\n")
        return "result" in at_start and CLOSED in session.listen(5)


@exchange("FRM-01", "Its answer to a line that is not JSON is at times a line that is not JSON itself. Ten attempts.")
def a_line_that_is_no_json(pool: Pool) -> bool:
    heard: list[Message] = []
    for _ in range(10):
        with pool.connect() as session:
            session.send("GET / HTTP/1.1")
            heard += session.listen(2)
    return any("text" in message for message in heard)


@exchange("ERR-24", "Its error in a reply to mining.authorize before mining.subscribe is a string.")
def error_is_a_string(pool: Pool) -> bool:
    with pool.connect() as session:
        reply = session.call("mining.authorize", [session.user, "x"])
        return isinstance(reply.get("error"), str)


@exchange("ERR-22", "It refuses a valid share under a name that was not authorized, and takes it under the right one.")
def share_under_another_name_is_refused(pool: Pool) -> bool:
    with pool.joined() as session:
        share = session.share()
        return refused(session.submit(share, user="somebody.else")) and accepted(session.submit(share))


@exchange("FRM-18", "It closes on an HTTP request.")
def http_closes(pool: Pool) -> bool:
    with pool.connect() as session:
        session.send(b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n")
        begun = time.monotonic()
        return CLOSED in session.listen(10) and time.monotonic() - begun < 10


@exchange("LD-05", "It keeps 24 MiB of replies for a client that reads none of them.")
def unread_replies_are_kept(pool: Pool) -> bool:
    return unread_replies(pool, 60_000) > 24 << 20


@exchange(
    "SH-11",
    "It answers a block on a job that just became stale with an error, and its node gets the block.",
    asks_node=True,
)
def late_block_reaches_the_node(pool: Pool) -> bool:
    reply, known = late_block(pool)
    return refused(reply) and known


if __name__ == "__main__":
    run(TABLE)
