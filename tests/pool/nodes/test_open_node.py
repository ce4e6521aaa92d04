"""From the text of an option to a node, without ever repeating a password."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.pool.nodes import open_node
from stratum_miner.pool.nodes.base import REASONS, SubmitResult, explain
from stratum_miner.pool.nodes.bitcoind import BitcoindNode, Credentials
from stratum_miner.pool.nodes.kernel import KernelNode


def test_the_embedded_node() -> None:
    assert isinstance(open_node("kernel"), KernelNode)
    assert repr(open_node("kernel", data_dir=Path("chain"))) == f"<KernelNode {Path('chain').absolute()}>"


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("http://a:b@localhost", "http://localhost:8332"),
        ("https://a:b@node.example:18443/wallet/x", "https://node.example:18443"),
        ("http://a:b@[::1]:18443", "http://[::1]:18443"),
        ("http://:b@127.0.0.1:1", "http://127.0.0.1:1"),
    ],
)
def test_urls(spec: str, shown: str) -> None:
    assert repr(open_node(spec)) == f"<BitcoindNode {shown}>"


@pytest.mark.parametrize(
    ("spec", "options", "text"),
    [
        ("", {}, "expected kernel or the JSON-RPC of a node, .*, got no URL"),
        ("Kernel", {}, "got no URL"),
        ("user:hunter2@host", {}, "got no URL"),
        ("ftp://user:hunter2@host", {}, "got another kind of URL"),
        ("http://user:hunter2@", {}, "expected kernel"),
        ("http://user:hunter2@host:99999", {}, "got a URL that cannot be parsed"),
        ("http://user:hunter2@[::1", {}, "got a URL that cannot be parsed"),
        ("http://user:hunter2#@host", {}, "got a URL that cannot be parsed. Write special characters as %xx"),
        ("http://user:hunter2@host/?a=hunter2", {}, r"got a URL with \? or #"),
        ("http://host:1", {}, "got no password"),
        ("http://user:hunter2@host:1", {"data_dir": Path("x")}, "only the embedded node .* has a data directory"),
        ("kernel", {"password": "hunter2"}, "neither a cookie file nor a password"),
        ("kernel", {"cookie_file": Path("x")}, "neither a cookie file nor a password"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(spec: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        open_node(spec, **options)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text(max_size=40))
def test_any_text_opens_a_node_or_is_refused(text: str) -> None:
    for spec in (text, f"http://{text}", f"http://a:b@{text}", f"http://a:{text}@host"):
        try:
            node = open_node(spec)
        except ValueError:
            continue
        assert isinstance(node, BitcoindNode | KernelNode)


@pytest.mark.parametrize(
    "options", [{}, {"credentials": Credentials("a", "b"), "cookie_file": Path("x")}], ids=["neither", "both"]
)
def test_one_source_of_credentials(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either credentials or a cookie file"):
        BitcoindNode("http://127.0.0.1:1/", **options)


def test_credentials_have_no_place_in_the_address() -> None:
    with pytest.raises(ValueError, match="without user and password") as caught:
        BitcoindNode("http://a:hunter2@127.0.0.1:1/", credentials=Credentials("a", "b"))
    assert "hunter2" not in str(caught.value)


# ---- results of submissions --------------------------------------------------------------------------------------


def test_only_silence_and_duplicate_are_success() -> None:
    assert SubmitResult.from_text(None).accepted
    assert [reason for reason in REASONS if SubmitResult.from_text(reason).accepted] == ["duplicate"]
    assert [reason for reason in REASONS if SubmitResult.from_text(reason).inconclusive] == [
        "duplicate-inconclusive",
        "inconclusive",
    ]


def test_reasons_in_words() -> None:
    assert explain("bad-version(0x00000003)") == REASONS["bad-version"]
    assert explain("something-new") == "the node rejects the block: something-new"
    assert SubmitResult.from_text("bad-cb-amount", "1 vs 2").explanation == REASONS["bad-cb-amount"] + ": 1 vs 2"
    gone = SubmitResult.unreachable("no route")
    assert (gone.accepted, gone.result, gone.explanation) == (False, "unreachable", "no route")
