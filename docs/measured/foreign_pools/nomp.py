"""Exchanges by hand with NOMP's node-stratum-pool: python -m docs.measured.foreign_pools.nomp HOST:PORT [NAME...].

The exchanges whose names begin with "dies" end the process of an unguarded pool, and run only if they are named.
"""

from docs.measured.foreign_pools.exchanges import (
    CLOSED,
    SILENT,
    Pool,
    Table,
    accepted,
    late_block,
    refused,
    run,
    unread_replies,
)

TABLE = Table("NOMP's node-stratum-pool")
exchange = TABLE.exchange


@exchange("HS-12", "It answers a second mining.subscribe with another extranonce1, while the jobs go on.")
def second_subscribe_changes_extranonce1(pool: Pool) -> bool:
    with pool.joined() as session:
        first, share = session.extranonce1, session.share()
        session.subscribe()
        return session.extranonce1 != first and refused(session.submit(share))


@exchange("HS-20, FRM-20", "It sends no reply to mining.configure, and goes on serving the connection.")
def configure_is_unanswered(pool: Pool) -> bool:
    with pool.connect() as session:
        silent = session.call("mining.configure", [["version-rolling"], {"version-rolling.mask": "1fffe000"}], 5)
        return silent is SILENT and "result" in session.subscribe()


@exchange("FRM-19, FRM-20", "It sends no reply to a method that is missing, not a string or unknown.")
def unknown_method_is_unanswered(pool: Pool) -> bool:
    with pool.connect() as session:
        session.send('{"id": 1, "params": []}')
        session.send('{"id": 2, "method": 5, "params": []}')
        session.send('{"id": 3, "method": "mining.unknown_to_everyone", "params": []}')
        return session.listen(5) == [] and "result" in session.subscribe()


@exchange("HS-11", "Once a job has been sent again, the first job of a new session has clean_jobs false.")
def first_job_is_not_clean(pool: Pool) -> bool:
    with pool.joined() as session:
        session.next_job()
    with pool.joined() as session:
        return session.jobs[0][8] is False


@exchange("HS-16", "A connection on which the client sends nothing is still open after 130 s.")
def idle_connection_stays_open(pool: Pool) -> bool:
    with pool.connect() as session:
        return CLOSED not in session.listen(130)


@exchange("HS-14", "It refuses a share of a session that has authorized nobody.")
def share_without_authorize_is_refused(pool: Pool) -> bool:
    with pool.connect() as session:
        session.subscribe()
        session.next_job(after=0)
        return refused(session.submit(session.share()))


@exchange("ERR-22", "It accepts a share under a worker name that was not authorized.")
def share_under_another_name(pool: Pool) -> bool:
    with pool.joined() as session:
        return accepted(session.submit(session.share(), user="somebody.else"))


@exchange("ERR-15", "It reads an ntime that is not hex as zero, and accepts the share of this header.")
def ntime_that_is_no_hex(pool: Pool) -> bool:
    with pool.joined() as session:
        job, extranonce2, _, nonce = session.share(ntime=0)
        return accepted(session.submit((job, extranonce2, "zzzzzzzz", nonce)))


@exchange("ERR-17", "It reads an extranonce2 that is not hex as no bytes at all, and accepts the share of this header.")
def extranonce2_that_is_no_hex(pool: Pool) -> bool:
    with pool.joined() as session:
        job, _, ntime, nonce = session.share(extranonce2=b"")
        return accepted(session.submit((job, "zz" * session.extranonce2_size, ntime, nonce)))


@exchange("ERR-02", "It accepts a share again with its extranonce2 in capitals.")
def share_again_in_capitals(pool: Pool) -> bool:
    with pool.joined() as session:
        job, extranonce2, ntime, nonce = share = session.share(
            extranonce2=b"\xab\xcd\xef\xab"[: session.extranonce2_size]
        )
        if not accepted(session.submit(share)):
            return False
        return accepted(session.submit((job, extranonce2.upper(), ntime, nonce)))


@exchange("ERR-13", "It refuses an ntime before that of the job.")
def early_ntime_is_refused(pool: Pool) -> bool:
    with pool.joined() as session:
        ntime = int(session.jobs[-1][7], 16) - 600
        return refused(session.submit(session.share(ntime=ntime)))


@exchange("FRM-12", "It gives a normal reply to a user agent with bytes that are not UTF-8.")
def user_agent_that_is_no_utf8(pool: Pool) -> bool:
    with pool.connect() as session:
        session.send(b'{"id": 1, "method": "mining.subscribe", "params": ["\xff\xfe"]}\n')
        return isinstance(session.reply(1).get("result"), list)


@exchange("ERR-24", "Its errors have two elements.")
def error_has_two_elements(pool: Pool) -> bool:
    with pool.joined() as session:
        _, extranonce2, ntime, nonce = session.share(at_least=1e-9)
        error = session.submit(("ffff", extranonce2, ntime, nonce)).get("error")
        return isinstance(error, list) and len(error) == 2


@exchange(
    "SH-11", "It refuses a block on a job that just became stale, and its node never gets the block.", asks_node=True
)
def late_block_is_lost(pool: Pool) -> bool:
    reply, known = late_block(pool)
    return refused(reply) and not known


@exchange(
    "ERR-27", "It accepts a hash that misses the share target by less than 1 %, and refuses one that misses it by 2 %."
)
def share_of_99_percent(pool: Pool) -> bool:
    with pool.joined() as session:
        asked = session.difficulty
        nearly = session.submit(session.share(at_least=asked * 0.991, below=asked * 0.996))
        not_nearly = session.submit(session.share(at_least=asked * 0.97, below=asked * 0.98))
        return accepted(nearly) and refused(not_nearly)


@exchange("LD-05", "It closes a connection on which more than 10,240 bytes arrive at once, so no replies pile up.")
def burst_closes(pool: Pool) -> bool:
    return unread_replies(pool, 60_000) == 0


@exchange("ERR-23", "The process ends at a mining.submit with four parameters for a job that it knows.", kills=True)
def dies_of_four_parameters(pool: Pool) -> bool:
    with pool.joined() as session:
        job, extranonce2, ntime, _ = session.share(at_least=1e-9)
        gone = session.call("mining.submit", [session.user, job, extranonce2, ntime], 5)
    return gone is CLOSED and not pool.alive()


@exchange("FRM-21", "The process ends at a mining.authorize without params.", kills=True)
def dies_of_missing_params(pool: Pool) -> bool:
    with pool.connect() as session:
        session.subscribe()
        session.send('{"id": 2, "method": "mining.authorize"}')
        closed = CLOSED in session.listen(5)
    return closed and not pool.alive()


if __name__ == "__main__":
    run(TABLE)
