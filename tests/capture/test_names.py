"""Names that users get almost right."""

import pytest

from stratum_miner.capture.names import nearest_method


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("mining.notfy", "mining.notify"),
        ("Mining.Submit", "mining.submit"),
        ("client.reconect", "client.reconnect"),
        ("mining.notify", None),
        ("pool.own_method", None),
        (None, None),
    ],
)
def test_methods(name: str | None, nearest: str | None) -> None:
    assert nearest_method(name) == nearest
