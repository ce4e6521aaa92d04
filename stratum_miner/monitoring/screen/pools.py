"""Builds the table of pools, which is shown if there are several pools."""

from rich.text import Text

from stratum_miner.monitoring.screen.states import state_text
from stratum_miner.monitoring.screen.tables import NOT_ACCEPTED, Column, Table, known, table
from stratum_miner.monitoring.screen.totals import address
from stratum_miner.monitoring.view import PoolView, View
from stratum_miner.quantities import count_text, duration_text


def pool_table(view: View, width: int) -> Table:
    """Return the table, the best pool first. Each pool is shown with its id, which is also the key that selects it."""
    pools = view.pools if len(view.pools) > 1 else ()
    with_problem = {problem.pool_id for problem in view.summary.problems}

    def name(pool: PoolView) -> str:
        mark = ">" if pool.active else " " if pool.enabled else "x"
        return f"{mark}{pool.id} {address(pool.name)}"

    def notes(pool: PoolView) -> list[Text]:
        return [] if not pool.reason or pool.id in with_problem else [Text(pool.reason, "dim")]

    columns: list[Column[PoolView]] = [
        Column("state", 11, lambda pool: state_text(pool.state if pool.enabled else "disabled"), is_word=True),
        Column("for", 7, lambda pool: duration_text(pool.since_s)),
        Column("accepted", 10, lambda pool: count_text(pool.accepted)),
        Column(NOT_ACCEPTED, 11, lambda pool: count_text(pool.rejected + pool.stale)),
        Column("lost", 7, lambda pool: count_text(pool.lost)),
    ]
    if any(pool.work_share is not None for pool in pools):
        columns.insert(2, Column("of time", 9, lambda pool: known(pool.work_share, "{:.0%}")))
    return table(
        "pool", pools, columns, name=name, notes=notes, rest=lambda shown: f"{len(pools) - shown} more", width=width
    )
