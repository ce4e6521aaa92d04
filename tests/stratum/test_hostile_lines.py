"""No line of a hostile peer takes much more processor time than an ordinary line of the same length."""

import pytest

from benchmarks.guarded.lines import CLIENT_LINE, KINDS, SERVER_LINE, ClientSide, ServerSide, cost

MAX_RATIO = 20
"""Maximum factor. The worst measured is 7 for long lines and 12 for short ones; before there was a limit, it was
217."""
TRIES = 5
"""Number of measurements. The shortest time counts, because other programs can only make a line look slower."""


@pytest.mark.parametrize(
    ("side", "size"), [(ClientSide, 1000), (ClientSide, CLIENT_LINE), (ServerSide, 1000), (ServerSide, SERVER_LINE)]
)
def test_a_hostile_line_costs_at_most_twenty_ordinary_ones(side: type[ClientSide | ServerSide], size: int) -> None:
    lines = {kind: build(size) + b"\n" for kind, build in KINDS.items()}
    least = {kind: cost(side().receive, line, 0.001) for kind, line in lines.items()}
    for _ in range(TRIES):
        dear = [kind for kind in KINDS if least[kind] > MAX_RATIO * least["ordinary"]]
        if not dear:
            return
        for kind in ("ordinary", *dear):
            least[kind] = min(least[kind], cost(side().receive, lines[kind], 0.01))
    assert {kind: round(least[kind] / least["ordinary"], 1) for kind in dear} == {}


def test_the_lines_of_the_benchmark_are_processed() -> None:
    """Check that the connection still works: an ordinary request is answered, and a good job is reported."""
    client, server = ClientSide(), ServerSide()
    for side, size in ((client, CLIENT_LINE), (server, SERVER_LINE)):
        before = side.connection
        side.receive(KINDS["ordinary"](size) + b"\n")
        assert side.connection is before
