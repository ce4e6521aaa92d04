"""Shows that a new metric needs only one line in a table, and a row in docs/reference/metrics.md, which another test
requires."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from stratum_miner.monitoring.http import metrics, pool_metrics, proxy_metrics
from stratum_miner.monitoring.http.exposition import gauge
from tests import reference, test_reference

from .conftest import ApiFactory
from .scrapes import of_miner, of_pool, of_proxy


@pytest.mark.parametrize(
    ("module", "table", "value", "scrape", "line"),
    [
        (metrics, "MINER", lambda it: it.shares.found, of_miner, "stratum_miner_added 126.0"),
        (metrics, "POOL", lambda it: it.connects, of_miner, 'stratum_miner_pool_added{pool="spare"} 1.0'),
        (metrics, "DEVICE", lambda it: it.nonces_found, of_miner,
         'stratum_miner_device_added{backend="cpu",device="cpu0"} 60.0'),
        (pool_metrics, "OWN_POOL", lambda it: it.jobs_published, of_pool, "stratum_pool_added 7.0"),
        (proxy_metrics, "PROXY", lambda it: it.room, of_proxy, "stratum_proxy_added 256.0"),
    ],
)  # fmt: skip
def test_one_line_adds_it_and_its_row_is_demanded(
    module: ModuleType,
    table: str,
    value: Callable[[Any], float],
    scrape: Callable[[], str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = {of_miner: reference.metrics, of_pool: reference.pool_metrics,
            of_proxy: reference.proxy_metrics}[scrape]  # fmt: skip
    test_reference.test_a_page_is_what_the_code_makes_of_it(made)
    monkeypatch.setattr(module, table, (*getattr(module, table), gauge("added", "What was added", value)))
    assert line in scrape().splitlines()
    with pytest.raises(AssertionError, match=r"docs/reference/metrics\.md"):
        test_reference.test_a_page_is_what_the_code_makes_of_it(made)


async def test_it_is_told_over_http(served: ApiFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MINER", (*metrics.MINER, gauge("added", "What was added", lambda it: 42)))
    async with served() as api:
        assert "stratum_miner_added 42.0" in (await api.get("/metrics")).text.splitlines()
