"""Exchanges by hand with public-pool: python -m docs.measured.foreign_pools.public_pool HOST:PORT [NAME...]."""

import json

from docs.measured.foreign_pools.exchanges import (
    CLOSED,
    SILENT,
    Pool,
    Session,
    Table,
    accepted,
    late_block,
    refused,
    run,
    unread_replies,
)

TABLE = Table("public-pool")
exchange = TABLE.exchange

HOURS_AHEAD = 3 * 3600


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
    return all(granted > 0 and granted & ~int(asked, 16) for asked, granted in masks.items())


@exchange("EXT-05, EXT-08", "It grants version rolling to a miner that does not ask for it.")
def grants_what_was_not_asked(pool: Pool) -> bool:
    granted = []
    for params in ([["minimum-difficulty"], {"minimum-difficulty.value": 1}], []):
        with pool.connect() as session:
            granted.append(_mask(session, params))
    return granted[0] > 0 and granted[1] > 0


@exchange("FRM-19, FRM-20", "It sends no reply to a method that is missing or unknown, and goes on.")
def unknown_method_is_unanswered(pool: Pool) -> bool:
    with pool.connect() as session:
        session.send('{"id": 1, "params": []}')
        session.send('{"id": 2, "method": "mining.unknown_to_everyone", "params": []}')
        return session.listen(5) == [] and "result" in session.subscribe()


@exchange("ERR-22", "It accepts a share under a worker name that was not authorized.")
def share_under_another_name(pool: Pool) -> bool:
    with pool.joined() as session:
        return accepted(session.submit(session.share(), user="somebody.else"))


@exchange("ERR-02", "It accepts a share again with its extranonce2 in capitals.")
def share_again_in_capitals(pool: Pool) -> bool:
    with pool.joined() as session:
        job, extranonce2, ntime, nonce = share = session.share(extranonce2=b"\xab\xcd\xef\xab")
        if not accepted(session.submit(share)):
            return False
        return accepted(session.submit((job, extranonce2.upper(), ntime, nonce)))


@exchange("ERR-03", "It accepts a share again with a digit that is no hex behind its nonce.")
def share_again_with_a_digit_more(pool: Pool) -> bool:
    with pool.joined() as session:
        job, extranonce2, ntime, nonce = share = session.share()
        if not accepted(session.submit(share)):
            return False
        return accepted(session.submit((job, extranonce2, ntime, nonce + "z")))


@exchange("ERR-04", "It accepts a share again with the version bits 00000000.")
def share_again_with_zero_bits(pool: Pool) -> bool:
    with pool.joined(configure=True) as session:
        share = session.share()
        return accepted(session.submit(share)) and accepted(session.submit(share, "00000000"))


@exchange("ERR-14", "It accepts a share whose ntime is three hours ahead.")
def late_ntime(pool: Pool) -> bool:
    with pool.joined() as session:
        ntime = int(session.jobs[-1][7], 16) + HOURS_AHEAD
        return accepted(session.submit(session.share(ntime=ntime)))


@exchange("ERR-13", "It accepts a share whose ntime is ten minutes before that of the job.")
def early_ntime(pool: Pool) -> bool:
    with pool.joined() as session:
        ntime = int(session.jobs[-1][7], 16) - 600
        return accepted(session.submit(session.share(ntime=ntime)))


@exchange("ERR-17", "After an extranonce2 that is a byte short, it refuses the valid shares of the same job.")
def malformed_extranonce2_spoils_the_job(pool: Pool) -> bool:
    with pool.joined() as session:
        job, extranonce2, ntime, nonce = session.share()
        first = session.submit((job, extranonce2[:-2], ntime, nonce))
        again = [session.submit(session.share(job=session.jobs[0])) for _ in range(2)]
        return refused(first) and all(refused(reply) for reply in again)


def _takes_version_bits(pool: Pool, bits: int) -> bool:
    """Whether the pool accepts a share with these version bits, which it did not grant."""
    with pool.joined(configure=True) as session:
        version = int(session.jobs[-1][5], 16)
        return accepted(session.submit(session.share(version=version ^ bits), f"{bits:08x}"))


@exchange("ERR-18", "It accepts the version bit 31, with which every node rejects the block.")
def negative_version(pool: Pool) -> bool:
    return _takes_version_bits(pool, 1 << 31)


@exchange("ERR-32", "It accepts version bits outside the mask that it granted.")
def version_bits_outside_the_mask(pool: Pool) -> bool:
    return _takes_version_bits(pool, 1)


@exchange("ERR-21", "It accepts a share with version bits that are not hex digits, as if they were zero.")
def version_bits_that_are_no_hex(pool: Pool) -> bool:
    with pool.joined(configure=True) as session:
        return accepted(session.submit(session.share(), "zzzzzzzz"))


@exchange("ERR-19", "It uses version bits without mining.configure.")
def version_bits_without_configure(pool: Pool) -> bool:
    with pool.joined() as session:
        version = int(session.jobs[-1][5], 16)
        return accepted(session.submit(session.share(version=version ^ 0x00002000), "00002000"))


@exchange("EXT-11", "It sets whatever difficulty a miner suggests: 1e308, 0 and -1.")
def sets_an_absurd_difficulty(pool: Pool) -> bool:
    set_to = []
    for suggested in (1e308, 0, -1):
        with pool.connect() as session:
            session.subscribe()
            session.send(json.dumps({"id": 9, "method": "mining.suggest_difficulty", "params": [suggested]}))
            session.listen(2)
            set_to.append(session.difficulty)
    return set_to == [1e308, 0, -1]


@exchange("ERR-10", "It judges a share of an earlier job by a difficulty to which it has risen since.")
def rise_counts_at_once(pool: Pool) -> bool:
    with pool.joined() as session:
        asked = session.difficulty
        share = session.share(below=4 * asked)
        session.send(json.dumps({"id": 9, "method": "mining.suggest_difficulty", "params": [4 * asked]}))
        session.listen(1)
        return session.difficulty == 4 * asked and refused(session.submit(share))


@exchange("ERR-24", 'Its errors are [code, text, ""].')
def error_has_three_elements(pool: Pool) -> bool:
    with pool.joined() as session:
        error = session.submit(("ffff", "00000000", session.jobs[-1][7], "00000000")).get("error")
        return isinstance(error, list) and len(error) == 3 and error[0] == 21


@exchange("HS-15", "It closes a connection that submits before mining.subscribe.")
def submit_first_closes(pool: Pool) -> bool:
    with pool.connect() as session:
        return session.submit(("1", "00000000", "00000000", "00000000")) is CLOSED


@exchange("FRM-15", "It takes 16 MiB of a line that does not end, and keeps the connection.")
def line_without_an_end(pool: Pool) -> bool:
    with pool.connect() as session:
        for _ in range(64):
            session.send(b"x" * (1 << 18))
        return CLOSED not in session.listen(5)


@exchange("FRM-21", "It closes the connection at a mining.authorize without params.")
def missing_params_close(pool: Pool) -> bool:
    with pool.connect() as session:
        session.subscribe()
        session.send('{"id": 2, "method": "mining.authorize"}')
        return CLOSED in session.listen(5)


@exchange("ERR-15", "It closes the connection at a share whose ntime has ten digits.")
def long_ntime_closes(pool: Pool) -> bool:
    with pool.joined() as session:
        job, extranonce2, _, nonce = session.share(at_least=1e-9)
        return session.submit((job, extranonce2, "1234567890", nonce)) is CLOSED


@exchange(
    "SH-11", "It refuses a block on a job that just became stale, and its node never gets the block.", asks_node=True
)
def late_block_is_lost(pool: Pool) -> bool:
    reply, known = late_block(pool)
    return refused(reply) and not known


@exchange("LD-05", "It keeps 24 MiB of replies for a client that reads none of them.")
def unread_replies_are_kept(pool: Pool) -> bool:
    return unread_replies(pool, 60_000) > 24 << 20


@exchange("FRM-13", "It refuses a mining.subscribe with a user agent of 300 characters.")
def long_user_agent(pool: Pool) -> bool:
    with pool.connect() as session:
        return refused(session.subscribe("a" * 300))


@exchange("FRM-12", "It gives a normal reply to a user agent with bytes that are not UTF-8.")
def user_agent_that_is_no_utf8(pool: Pool) -> bool:
    with pool.connect() as session:
        session.send(b'{"id": 1, "method": "mining.subscribe", "params": ["\xff\xfe"]}\n')
        return isinstance(session.reply(1).get("result"), list)


@exchange("EXT-09", "It sends no reply to mining.extranonce.subscribe, and keeps the connection.")
def extranonce_subscribe_is_unanswered(pool: Pool) -> bool:
    with pool.joined() as session:
        return session.call("mining.extranonce.subscribe", [], 5) is SILENT and accepted(
            session.submit(session.share())
        )


@exchange("HS-16", "A connection on which the client sends nothing is still open after 130 s.")
def idle_connection_stays_open(pool: Pool) -> bool:
    with pool.connect() as session:
        return CLOSED not in session.listen(130)


if __name__ == "__main__":
    run(TABLE)
