"""Limits of what a client takes and sends: lines, empty lines, ids."""

import pytest

from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    ClientConnection,
    ClientState,
)
from stratum_miner.stratum.errors import LocalProtocolError, RemoteProtocolError
from tests.stratum.pool_lines import call, difficulty_of, feed, in_state, jobs, line, notify, subscribed


@pytest.mark.parametrize("usable", [0, 50])
def test_a_hundred_more_unusable_lines_than_usable_ones_end_the_connection(usable: int) -> None:
    """Usable lines that came before the first unusable one give no credit."""
    connection = ClientConnection("test/1")
    good, bad = line(id=99, result=True), b"{ unusable\n"
    feed(connection, good * usable)
    for _ in range(11):
        feed(connection, bad * 9, good)  # 8 more
    feed(connection, bad * 9, good, bad * 3)
    with pytest.raises(RemoteProtocolError, match="100 more unusable lines than usable ones"):
        feed(connection, bad)


def test_ten_unusable_lines_end_a_connection_that_has_just_begun() -> None:
    connection = ClientConnection("test/1")
    assert len(feed(connection, b"{ unusable\n" * 9)) == 9
    with pytest.raises(RemoteProtocolError, match="10 unusable lines in a row"):
        feed(connection, b"{ unusable\n")


@pytest.mark.parametrize("empty", [b"\n", b" \r\n"])
def test_a_thousand_empty_lines_in_a_row_end_the_connection(empty: bytes) -> None:
    connection = ClientConnection("test/1")
    for _ in range(2):
        assert feed(connection, empty * 999) == []
        assert len(feed(connection, line(id=99, result=True))) == 1
    assert feed(connection, empty * 999) == []
    with pytest.raises(RemoteProtocolError, match="1000 empty lines in a row"):
        feed(connection, empty)


def test_a_line_of_a_mebibyte_is_the_longest() -> None:
    connection = ClientConnection("test/1")
    assert feed(connection, b" " * (1 << 20) + b"\n") == []
    with pytest.raises(RemoteProtocolError, match="expected at most 1048576 bytes, got 1048577"):
        feed(connection, b" " * ((1 << 20) + 1))


def test_a_line_of_1000_bytes_is_the_longest_that_is_sent() -> None:
    def authorize(connection: ClientConnection, size: int) -> int:
        rest = len(b'{"id":1,"method":"mining.authorize","params":["",""]}\n')
        return connection.authorize("u" * (size - rest), "")

    connection = in_state(ClientState.SUBSCRIBED)
    connection.next_id = 1
    connection.data_to_send()
    authorize(connection, 1000)
    assert connection.unsent == len(connection.data_to_send()) == 1000
    connection.next_id = 1
    with pytest.raises(LocalProtocolError, match="at most 1000 bytes"):
        authorize(connection, 1001)


@pytest.mark.parametrize("method", ["mining.ping", "mining.dance"])
def test_a_reply_of_1000_bytes_is_the_longest_that_is_sent(method: str) -> None:
    connection = subscribed()
    feed(connection, call(method, id=""))
    rest = len(connection.data_to_send())
    feed(connection, call(method, id="x" * (1000 - rest)))
    assert len(connection.data_to_send()) == 1000
    happened = feed(connection, call(method, id="x" * (1001 - rest)))
    assert connection.data_to_send() == b""
    assert isinstance(happened[-1], events.BadLine)
    assert "the reply would have 1001 bytes" in happened[-1].reason


def test_after_the_largest_id_comes_1() -> None:
    connection = ClientConnection("test/1", first_id=2**31 - 2)
    pings = [connection.request(messages.ClientPing()) for _ in range(3)]
    assert pings == [2**31 - 2, 2**31 - 1, 1]
    assert ClientConnection("test/1").request(messages.ClientPing()) == 1


def test_an_id_of_ten_digits_may_come_back_as_text_and_a_longer_one_is_foreign() -> None:
    connection = ClientConnection("test/1", first_id=2**31 - 1)
    connection.request(messages.ClientPing())
    connection.request(messages.ClientPing())
    assert [type(event) for event in feed(connection, line(id="2147483647", result="pong"))] == [events.RequestAnswered]
    assert [type(event) for event in feed(connection, line(id="00000000001", result="pong"))] == [events.UnpairedReply]


def test_of_an_incomplete_line_120_characters_are_shown() -> None:
    connection = ClientConnection("test/1")
    feed(connection, b"x" * 121)
    assert connection.receive_eof() == "x" * 120 + "…"


def test_a_job_before_any_difficulty_has_difficulty_1() -> None:
    [job] = jobs(feed(subscribed(), notify()))
    assert difficulty_of(job) == 1
