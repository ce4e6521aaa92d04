"""A disk that is full for a while, and one that stays so: what is counted is the same, and no record is half there."""

import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.audit import check
from tests.audit.program import Program, until
from tests.audit.scene import MinerAtRest, PoolOf, Scene, scene
from tests.audit.witness import Story, tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DISK = 4 << 20
LEFT = 12 << 10
"""Room for the records and lines of a second or two."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, all but full."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"only root may make a file system of its own: {error}")
    try:
        (place / "ballast").write_bytes(bytes(DISK - LEFT))
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=30)


def mine_until_it_is_full(stage: Scene, disk: Path) -> MinerAtRest:
    """Journal and log file are on the disk, and neither can be written any more."""
    wire = stage.relay_to(stage.pool(stage.node()))
    miner = stage.miner([PoolOf(wire)], "--log-file", str(disk / "log"), journal=disk / "journal")
    for event in ("journal_failed", "log_file_failed"):
        wait_for_event(miner.program, event)
    stage.wait_for(wire, accepted=len(tell(wire.wire).shares) + 10)
    return miner


def wait_for_event(program: Program, event: str) -> None:
    until(lambda: any(item.get("event") == event for item in program.events), f"{event} is logged", program)


def whole_lines(path: Path) -> list[dict[str, object]]:
    with contextlib.closing(path.open()) as file:
        text = file.read()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_disk_that_is_full_for_a_while(tmp_path: Path, disk: Path) -> None:
    """What could not be written waited: with room again the journal has every share."""
    with scene(tmp_path) as stage:
        miner = mine_until_it_is_full(stage, disk)
        (disk / "ballast").unlink()
        wait_for_event(miner.program, "journal_recovered")
        stage.wait_for(miner.pools[0].relay, accepted=len(tell(miner.pools[0].relay.wire).shares) + 10)
        stage.rest()
        check(stage)
        assert whole_lines(disk / "log")


def test_a_disk_that_stays_full(tmp_path: Path, disk: Path) -> None:
    """The end says how many records are missing, and those that are there are true."""
    with scene(tmp_path) as stage:
        miner = mine_until_it_is_full(stage, disk)
        problems = tuple(
            f"Cannot write the {what} '{disk / name}': No space left on device."
            for what, name in (("share journal", "journal"), ("log file", "log"))
        )
        stage.rest()
        for reading in miner.readings:
            if reading.surface == "api.summary":
                assert tuple(problem["text"] for problem in reading.value["problems"]) == problems
        records = whole_lines(disk / "journal")
        missing = [item["records"] for item in miner.program.events if item.get("event") == "journal_incomplete"]
        [story] = miner.final
        kinds = Counter(item["event"] for item in records)
        # a record each for the beginning, the end, and the find and the fate of every share
        assert missing == [2 + 2 * len(shares_of(miner, story)) - sum(kinds.values())]
        assert kinds["found"] >= kinds["settled"] > 0
        assert not kinds["closed"]
        sent = {item.header.hex(): item for item in story.submits if item.header is not None}
        for record in records:
            if record["event"] == "found" and record["header"] in sent:
                assert record["hash"] == sent[str(record["header"])].digest[::-1].hex()  # type: ignore[index]  # a share with a header has a digest
        assert whole_lines(disk / "log")


def shares_of(miner: MinerAtRest, story: Story) -> list[object]:
    """All that the API has, which must have those of the wire."""
    told = next(item.value for item in miner.readings if item.surface == "api.shares")
    values = {float(share.first.value) for share in story.shares}
    assert values <= {row["difficulty"] for row in told}
    return list(told)
