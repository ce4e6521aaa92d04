"""The counts of a pool continue over all its connections and clients."""

from stratum_miner.client.pool_tally import PoolTally
from stratum_miner.client.traffic import Traffic


def test_bytes_of_open_and_of_closed_connections_are_counted_once() -> None:
    tally, one, other = PoolTally(), Traffic(), Traffic()
    tally.note_opened(one)
    tally.note_opened(other)
    one.bytes_received, one.bytes_sent, other.bytes_received = 3, 5, 4
    assert (tally.traffic.bytes_received, tally.traffic.bytes_sent) == (7, 5)
    tally.note_closed(one)
    other.bytes_received = 10
    assert (tally.traffic.bytes_received, tally.traffic.bytes_sent) == (13, 5)


def test_each_counter_of_two_connections_is_added_up() -> None:
    one, other = Traffic(1, 2, 3, 4, 5), Traffic(10, 20, 30, 40, 50)
    both = one + other
    assert (both.bytes_received, both.bytes_sent, both.jobs) == (11, 22, 33)
    assert (both.bad_lines, both.unpaired_replies) == (44, 55)
