"""The requests of a client, sent and parsed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import MAX_TARGET
from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum.envelope import Call, decode, encode_request
from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.extensions import Info, MinimumDifficulty, SubscribeExtranonce, VersionRolling

UINT32 = st.integers(0, 2**32 - 1)
EXTENSIONS = st.tuples(
    st.builds(VersionRolling, UINT32, st.integers(0, 32)),
    st.builds(MinimumDifficulty, st.floats(min_value=1e-9, max_value=1e15)),
    st.just(SubscribeExtranonce()),
    st.builds(Info, sw_version=st.text(max_size=20)),
)
MESSAGES: st.SearchStrategy[messages.AnyClientMessage] = st.one_of(
    st.builds(messages.Configure, EXTENSIONS | st.just(())),
    st.builds(messages.Subscribe, st.text(max_size=50), st.none() | st.text(min_size=1, max_size=50)),
    st.builds(messages.Authorize, st.text(max_size=50), st.text(max_size=50)),
    st.just(messages.ExtranonceSubscribe()),
    st.builds(messages.SuggestDifficulty, st.floats(min_value=1e-300, max_value=1e300)),
    st.builds(messages.SuggestTarget, st.integers(1, MAX_TARGET)),
    st.builds(
        messages.Submit,
        st.text(max_size=50),
        st.text(max_size=50),
        st.binary(max_size=32),
        UINT32,
        UINT32,
        st.none() | UINT32,
    ),
    st.builds(messages.GetTransactions, st.text(max_size=50)),
    st.just(messages.ClientPing()),
    st.just(messages.MultiVersion()),
)


@given(MESSAGES)
def test_every_message_round_trips_through_a_line(message: messages.AnyClientMessage) -> None:
    call = decode(encode_request(1, message.method, message.to_params())[:-1])
    assert isinstance(call, Call)
    assert messages.parse(call.method, call.params) == message


def test_the_table_lists_each_under_its_own_method() -> None:
    assert all(kind.method == method for method, kind in messages.CLIENT_MESSAGES.items())
    assert messages.parse("mining.unheard_of", []) is None
    assert messages.parse("mining.unheard_of", {"not": "an array"}) is None


@pytest.mark.parametrize("method", sorted(messages.CLIENT_MESSAGES))
@pytest.mark.parametrize("params", [{}, "x", 7, True])
def test_params_that_are_no_array(method: str, params: Any) -> None:
    with pytest.raises(FieldError, match=f"{method}: expected an array"):
        messages.parse(method, params)


# docs/reference/stratum.md#subscribing
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (None, messages.Subscribe()),
        ([], messages.Subscribe()),
        ([None], messages.Subscribe()),
        (["ua"], messages.Subscribe("ua")),
        (["ua", None], messages.Subscribe("ua")),
        (["ua", ""], messages.Subscribe("ua")),
        (["ua", "ae68"], messages.Subscribe("ua", "ae68")),
        (["x" * 512, "y" * 256], messages.Subscribe("x" * 512, "y" * 256)),
        (["ua", None, "host", None], messages.Subscribe("ua")),
        (["ua", "ae68", "host", 3333], messages.Subscribe("ua", "ae68")),
    ],
)
def test_subscribe_in_every_form(params: Any, expected: messages.Subscribe) -> None:
    assert messages.parse("mining.subscribe", params) == expected


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([7], "user agent: expected a string"),
        (["x" * 513], "expected at most 512 characters, got 513"),
        (["ua", 7], "session: expected a string"),
        (["ua", "x" * 257], "expected at most 256 characters"),
    ],
)
def test_malformed_subscribe(params: list[Any], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        messages.parse("mining.subscribe", params)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (["user"], messages.Authorize("user", "")),
        (["user", None], messages.Authorize("user", "")),
        (["user", 7], messages.Authorize("user", "")),
        (["user", "x" * 1024], messages.Authorize("user", "x" * 1024)),
        (["user", "x" * 1025], messages.Authorize("user", "")),
        (["x" * 512], messages.Authorize("x" * 512)),
        (["user", "pw", "more"], messages.Authorize("user", "pw")),
        (["user.w1", "d=64"], messages.Authorize("user.w1", "d=64")),
    ],
)
def test_authorize_in_every_form(params: list[Any], expected: messages.Authorize) -> None:
    assert messages.parse("mining.authorize", params) == expected


@pytest.mark.parametrize("params", [[], [None], [7], ["x" * 513], None])
def test_malformed_authorize(params: Any) -> None:
    with pytest.raises(FieldError, match=r"mining\.authorize.*expected"):
        messages.parse("mining.authorize", params)


@pytest.mark.parametrize("params", [{"user": "u", "password": "hunter2"}, "u:hunter2", [{"password": 7}, "hunter2"]])
def test_a_password_appears_in_no_text(params: Any) -> None:
    with pytest.raises(FieldError) as caught:
        messages.parse("mining.authorize", params)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(messages.Authorize("user", "hunter2"))


GOOD = ["user.w1", "j1", "00000000", "6b042070", "925b0800"]


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, 7, "worker name: expected a string"),
        (0, "x" * 513, "worker name: expected at most 512"),
        (1, 1, "job id: expected a string"),
        (1, "x" * 129, "job id: expected at most 128"),
        (2, "000", "extranonce2: expected a hex string"),
        (2, "0x00", "extranonce2: expected a hex string"),
        (2, None, "extranonce2: expected a hex string"),
        (3, "6b04207", "ntime: expected 8 hex digits"),
        (3, 1795432560, "ntime: expected 8 hex digits"),
        (4, "925b08", "nonce: expected 8 hex digits"),
        (4, "925b080000", "nonce: expected 8 hex digits"),
        (4, " 25b0800", "nonce: expected 8 hex digits"),
        (4, "0x5b0800", "nonce: expected 8 hex digits"),
        (5, "", "version bits: expected 8 hex digits"),
        (5, None, "version bits: expected 8 hex digits"),
    ],
)
def test_malformed_submit(at: int, value: Any, message: str) -> None:
    params: list[Any] = [*GOOD, "00002000"]
    params[at] = value
    with pytest.raises(FieldError, match=message):
        messages.parse("mining.submit", params)


@pytest.mark.parametrize("count", [0, 4, 7])
def test_submit_with_a_wrong_number_of_params(count: int) -> None:
    with pytest.raises(FieldError, match=rf"mining\.submit: expected 5 to 6 params, got {count}"):
        messages.parse("mining.submit", [*GOOD, "00002000", "more"][:count])


def test_submit_has_six_params_exactly_with_version_bits() -> None:
    plain = messages.parse("mining.submit", GOOD)
    assert plain == messages.Submit("user.w1", "j1", bytes(4), 0x6B042070, 0x925B0800, None)
    assert plain.to_params() == GOOD
    rolled = messages.parse("mining.submit", [*GOOD, "00000000"])
    assert rolled == messages.Submit("user.w1", "j1", bytes(4), 0x6B042070, 0x925B0800, 0)
    assert rolled.to_params() == [*GOOD, "00000000"]


def test_the_longest_names_of_a_share() -> None:
    share = messages.parse("mining.submit", ["x" * 512, "y" * 128, *GOOD[2:]])
    assert share == messages.Submit("x" * 512, "y" * 128, bytes(4), 0x6B042070, 0x925B0800)
    assert messages.parse("mining.get_transactions", ["y" * 128]) == messages.GetTransactions("y" * 128)


def test_one_share_has_one_spelling_but_for_case() -> None:
    params = ["w", "J1", "AABBCCDD", "6B042070", "925B080F"]
    lower = [*params[:2], *(param.lower() for param in params[2:])]
    assert messages.parse("mining.submit", params) == messages.parse("mining.submit", lower)


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (0.001, 0.001), ("0.500000", 0.5), ("5", 5.0)])
def test_suggest_difficulty_as_number_and_as_text(value: Any, expected: float) -> None:
    parsed = messages.parse("mining.suggest_difficulty", [value])
    assert parsed == messages.SuggestDifficulty(expected)


@pytest.mark.parametrize("params", [[], [0], [-1], ["x"], [None], [True]])
def test_malformed_suggest_difficulty(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"mining\.suggest_difficulty: expected"):
        messages.parse("mining.suggest_difficulty", params)


@pytest.mark.parametrize("value", [1, 1.0])
def test_suggest_difficulty_prints_an_integer_where_it_is_one(value: float) -> None:
    assert repr(messages.SuggestDifficulty(value).to_params()) == "[1]"


@pytest.mark.parametrize("params", [[], ["00" * 32], ["ff" * 31], ["0x" + "ff" * 31], [None], [1]])
def test_malformed_suggest_target(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"mining\.suggest_target: expected"):
        messages.parse("mining.suggest_target", params)


def test_configure_sorts_known_unknown_and_unusable() -> None:
    parsed = messages.parse(
        "mining.configure",
        [
            ["minimum-difficulty", "x-new", "version-rolling", "version-rolling", "info"],
            {"version-rolling.mask": "1fffe000", "minimum-difficulty.value": -1, "info.hw-id": "h"},
        ],
    )
    assert isinstance(parsed, messages.Configure)
    assert parsed.extensions == (VersionRolling(0x1FFFE000, 0), Info(hw_id="h"))
    assert parsed.unknown == ("x-new",)
    assert [name for name, _ in parsed.refused] == ["minimum-difficulty"]
    assert "minimum-difficulty.value: expected" in parsed.refused[0][1]


@pytest.mark.parametrize("params", [[["subscribe-extranonce"]], [["subscribe-extranonce"], None]])
def test_configure_without_parameters(params: list[Any]) -> None:
    assert messages.parse("mining.configure", params) == messages.Configure((SubscribeExtranonce(),))


def test_the_most_and_longest_extensions() -> None:
    names = [f"{number:064}" for number in range(32)]
    assert messages.parse("mining.configure", [names]) == messages.Configure((), tuple(names))


def test_an_old_antminer_asks_for_one_version() -> None:
    assert messages.MultiVersion().to_params() == [1]


@pytest.mark.parametrize("params", [[], [{}], [[], []], [[7], {}], [["x" * 65], {}], [["a"] * 33, {}], [[[]], {}]])
def test_malformed_configure(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"mining\.configure.*expected"):
        messages.parse("mining.configure", params)


@pytest.mark.parametrize("method", ["mining.ping", "mining.extranonce.subscribe", "mining.multi_version"])
@pytest.mark.parametrize("params", [None, [], [1], ["x", {}]])
def test_requests_without_params_ignore_what_comes(method: str, params: Any) -> None:
    parsed = messages.parse(method, params)
    assert parsed is not None
    assert parsed.method == method


@pytest.mark.parametrize("params", [[], [7], ["x" * 129]])
def test_malformed_get_transactions(params: list[Any]) -> None:
    with pytest.raises(FieldError, match=r"mining\.get_transactions"):
        messages.parse("mining.get_transactions", params)
