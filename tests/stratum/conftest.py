"""Fixtures shared by the tests of the sans-IO Stratum layer."""

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "stratum.json").read_text())


@pytest.fixture(params=VECTORS, ids=lambda vector: vector["name"])
def vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One captured round trip: a job, the share that solved it, and every intermediate value."""
    value: dict[str, Any] = request.param
    return value
