"""Options that several commands share."""

from stratum_miner.app.options.common import listed


def test_names_may_be_repeated_or_have_commas_between_them() -> None:
    assert listed(["stale, duplicate", "split"]) == ["stale", "duplicate", "split"]
    assert listed([]) == []
