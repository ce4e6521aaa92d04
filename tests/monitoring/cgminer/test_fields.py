"""Tests every field against a view in which all figures have different values."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stratum_miner.monitoring.cgminer import fields
from stratum_miner.monitoring.cgminer.zero import Zero
from stratum_miner.monitoring.view import DeviceView, JobView, PoolView, SharesView, View
from tests.monitoring.screen.test_layout import device, pool, view

NOW = 1_800_000_000.5
RUN = view(
    elapsed_s=1000.0, hash_rate=11e9, hash_rate_5s=12e9, hash_rate_1m=13e9, hash_rate_5m=14e9, hash_rate_15m=15e9,
    shares=SharesView(found=300, accepted=210, rejected=22, stale=33, lost=29, open=6), blocks_accepted=4,
    difficulties={"accepted": 420.0, "rejected": 44.0, "stale": 66.0, "lost": 58.0}, hardware_errors=7, withheld=91,
    last_job_at=NOW - 19, work_units=61,
    blocks_seen=47, block_at=NOW - 61.25, best_share=9876.7, height=800_001, network_difficulty=123.5,
    pool="tcp://a:3331",
    worker_name="me.rig",
    job=JobView(job_id="j", age_s=19.0, previous_hash="ab" * 32, share_difficulty=2.0, network_difficulty=123.5,
                version_mask="1fffe000", version=0x20400000),
)  # fmt: skip
MINED_ON = pool(
    5, priority=1, url="tcp://[2001:db8::1]:3331", worker_name="me.rig", active=True, accepted=101, rejected=12,
    stale=13, lost=14, difficulties={"accepted": 202.0, "rejected": 24.0, "stale": 26.0, "lost": 28.0},
    best_share=555.9, last_share_at=NOW - 21, last_share_difficulty=2.5, quota=17, difficulty=2.25, jobs=71,
    work_units=81,
    bytes_received=3001, bytes_sent=4002, reject_share=0.5, stale_share=0.25,
)  # fmt: skip
SPARE = pool(
    2, priority=0, url="stratum+tcp://b:3332", worker_name="me.two", active=False, state="down", accepted=109,
    rejected=10, stale=20, lost=15, difficulties={"accepted": 218.0, "rejected": 20.0, "stale": 40.0, "lost": 30.0},
    best_share=9876.7, last_share_at=NOW - 41, last_share_difficulty=4.5, difficulty=3.25, jobs=72, work_units=82,
    version_mask="00000000",
)  # fmt: skip
STICK = device(
    3, backend="sticks", name="ttyUSB0", product="Compac F", mines=True, hash_rate=1e9, hash_rate_1m=2e9,
    hash_rate_5m=3e9, hash_rate_15m=4e9, came_at=NOW - 507, frozen_s=7.0,
    hashes=600 << 32, nonces_found=392, accepted=130,
    refused=31, difficulties={"accepted": 260.0, "rejected": 11.0, "stale": 23.0, "lost": 9.0}, hardware_errors=8,
    last_nonce_age_s=5.0, last_share_at=NOW - 33, last_share_pool_id=2, last_share_difficulty=1.75,
    chip_temperature_c=61.125, regulator_temperature_c=52.5, core_voltage_v=1.23, power_w=14.5, frequency_mhz=400.0,
    fan_rpm=3100, crc_errors=81, trips=82, restarts=83, unwell_at=NOW - 77, unwell_reason="too hot",
    spells={"sick": 84, "dead": 85, "off": 86, "absent": 87},
)  # fmt: skip
THREAD = device(9, state="off", reason="by hand", hashes=0, nonces_found=0, accepted=0, refused=0, came_at=0.0,
                hash_rate=0.0, hash_rate_1m=0.0, last_nonce_age_s=None)  # fmt: skip
IT = replace(RUN, at=NOW, pools=(SPARE, MINED_ON), devices=(STICK, THREAD))

SUMMARY = {
    "Elapsed": "1000", "MHS av": "11000.00", "MHS 5s": "12000.00", "MHS 1m": "13000.00", "MHS 5m": "14000.00",
    "MHS 15m": "15000.00", "Found Blocks": "4", "Getworks": "143", "Accepted": "210", "Rejected": "22",
    "Hardware Errors": "7", "Utility": "12.60", "Discarded": "0", "Stale": "33", "Get Failures": "0",
    "Local Work": "61", "Remote Failures": "29", "Network Blocks": "47", "Total MH": "11000000.0000",
    "Work Utility": "36.00", "Difficulty Accepted": "420.00000000", "Difficulty Rejected": "44.00000000",
    "Difficulty Stale": "66.00000000", "Best Share": "9876", "Device Hardware%": "1.7544",
    "Device Rejected%": "18.3333", "Pool Rejected%": "8.3019", "Pool Stale%": "12.4528",
    "Last getwork": "1799999981", "GHS 5s": "12.000000", "GHS av": "11.000000",
}  # fmt: skip
POOLS = [
    {
        "POOL": "2", "URL": "stratum+tcp://b:3332", "Status": "Dead", "Priority": "0", "Quota": "1", "Long Poll": "N",
        "Getworks": "72", "Accepted": "109", "Rejected": "10", "Works": "82", "Discarded": "0", "Stale": "20",
        "Get Failures": "0", "Remote Failures": "15", "User": "me.two", "Last Share Time": "1799999959",
        "Diff1 Shares": "308", "Proxy Type": "", "Proxy": "", "Difficulty Accepted": "218.00000000",
        "Difficulty Rejected": "20.00000000", "Difficulty Stale": "40.00000000",
        "Last Share Difficulty": "4.50000000", "Work Difficulty": "3.25000000", "Has Stratum": "True",
        "Stratum Active": "False", "Stratum URL": "", "Stratum Difficulty": "0.00000000", "Has Vmask": "False",
        "Has GBT": "False", "Best Share": "9876", "Pool Rejected%": "7.1942", "Pool Stale%": "14.3885",
        "Bad Work": "0", "Current Block Height": "0", "Current Block Version": "0",
    },
    {
        "POOL": "5", "URL": "stratum+tcp://[2001:db8::1]:3331", "Status": "Alive", "Priority": "1", "Quota": "17",
        "Long Poll": "N", "Getworks": "71", "Accepted": "101", "Rejected": "12", "Works": "81", "Discarded": "0",
        "Stale": "13", "Get Failures": "0", "Remote Failures": "14", "User": "me.rig",
        "Last Share Time": "1799999979", "Diff1 Shares": "280", "Proxy Type": "", "Proxy": "",
        "Difficulty Accepted": "202.00000000", "Difficulty Rejected": "24.00000000",
        "Difficulty Stale": "26.00000000", "Last Share Difficulty": "2.50000000", "Work Difficulty": "2.25000000",
        "Has Stratum": "True", "Stratum Active": "True", "Stratum URL": "2001:db8::1",
        "Stratum Difficulty": "2.25000000", "Has Vmask": "True", "Has GBT": "False", "Best Share": "555",
        "Pool Rejected%": "9.5238", "Pool Stale%": "10.3175", "Bad Work": "0", "Current Block Height": "800000",
        "Current Block Version": "541065216",
    },
]  # fmt: skip
DEVICE = {
    "ASC": "3", "Name": "sticks", "ID": "3", "Enabled": "Y", "Status": "Alive", "Temperature": "61.12",
    "MHS av": "5153.96", "MHS 5s": "1000.00", "MHS 1m": "2000.00", "MHS 5m": "3000.00", "MHS 15m": "4000.00",
    "Accepted": "130", "Rejected": "31", "Hardware Errors": "8", "Utility": "15.60", "Last Share Pool": "2",
    "Last Share Time": "1799999967", "Total MH": "2576980.3776", "Diff1 Work": "600",
    "Difficulty Accepted": "260.00000000", "Difficulty Rejected": "34.00000000",
    "Last Share Difficulty": "1.75000000", "No Device": "False", "Last Valid Work": "1799999995",
    "Device Hardware%": "2.0000", "Device Rejected%": "5.6667", "Device Elapsed": "500",
}  # fmt: skip
NOTICE = {
    "NOTIFY": "3", "Name": "sticks", "ID": "3", "Last Well": "1799999995", "Last Not Well": "1799999923",
    "Reason Not Well": "too hot", "*Thread Fail Init": "0", "*Thread Zero Hash": "0", "*Thread Fail Queue": "0",
    "*Dev Sick Idle 60s": "84", "*Dev Dead Idle 600s": "85", "*Dev Nostart": "87", "*Dev Over Heat": "0",
    "*Dev Thermal Cutoff": "82", "*Dev Comms Error": "81", "*Dev Throttle": "0",
}  # fmt: skip
COIN = {
    "Hash Method": "sha256", "Current Block Time": "1799999939.250000", "Current Block Hash": "ab" * 32, "LP": "True",
    "Network Difficulty": "123.50000000",
}  # fmt: skip
LCD = {
    "Elapsed": "1000", "GHS av": "11.00", "GHS 5m": "14.00", "GHS 5s": "12.00", "Temperature": "61.12",
    "Last Share Difficulty": "2.50000000", "Last Share Time": "1799999979", "Best Share": "9876",
    "Last Valid Work": "1799999995", "Found Blocks": "4", "Current Pool": "stratum+tcp://a:3331", "User": "me.rig",
}  # fmt: skip
DETAILS = {
    "DEVDETAILS": "3", "Name": "sticks", "ID": "3", "Driver": "sticks", "Kernel": "", "Model": "Compac F",
    "Device Path": "ttyUSB0",
}  # fmt: skip
CONFIGURATION = {
    "ASC Count": "2", "PGA Count": "0", "Pool Count": "2", "Strategy": "Load Balance", "Log Interval": "5",
    "Device Code": "sticks cpu", "OS": "Linux", "Hotplug": "None",
}  # fmt: skip


def printed(row: fields.Fields) -> dict[str, str]:
    return {name: str(value) for name, value in row.items()}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (fields.summary, SUMMARY),
        (lambda it: fields.pools(it)[0], POOLS[0]),
        (lambda it: fields.pools(it)[1], POOLS[1]),
        (lambda it: fields.devices(it)[0], DEVICE),
        (lambda it: fields.notices(it)[0], NOTICE),
        (fields.coin, COIN),
        (fields.lcd, LCD),
        (lambda it: fields.details(it)[0], DETAILS),
        (fields.configuration, CONFIGURATION),
    ],
    ids=["summary", "spare", "mined on", "device", "notify", "coin", "lcd", "devdetails", "config"],
)
def test_every_field_tells_its_own_number(row: Callable[[View], fields.Fields], expected: dict[str, str]) -> None:
    assert printed(row(IT)) == expected


def test_statistics_have_the_sensors_of_a_device_and_the_traffic_of_a_pool() -> None:
    stick, _, _, connection = (printed(row) for row in fields.statistics(IT))
    assert stick == {
        "STATS": "0", "ID": "sticks3", "Elapsed": "1000", "Calls": "0", "Wait": "0.000000", "Max": "0.000000",
        "Min": "99999999.000000", "temp": "61.125", "temp_vr": "52.5", "voltage": "1.23", "power": "14.5",
        "frequency": "400.0", "fan1": "3100",
    }  # fmt: skip
    assert connection == {
        "STATS": "3", "ID": "POOL5", "Elapsed": "1000", "Calls": "0", "Wait": "0.000000", "Max": "0.000000",
        "Min": "99999999.000000", "Pool Calls": "0", "Pool Attempts": "0", "Pool Wait": "0.000000",
        "Pool Max": "0.000000", "Pool Min": "99999999.000000", "Pool Av": "0.000000", "Work Had Roll Time": "False",
        "Work Can Roll": "False", "Work Had Expire": "False", "Work Roll Time": "0", "Work Diff": "2.25000000",
        "Min Diff": "0.00000000", "Max Diff": "0.00000000", "Min Diff Count": "0", "Max Diff Count": "0",
        "Times Sent": "0", "Bytes Sent": "4002", "Times Recv": "0", "Bytes Recv": "3001", "Net Bytes Sent": "4002",
        "Net Bytes Recv": "3001",
    }  # fmt: skip


def test_a_device_that_did_nothing_yet_has_zeros() -> None:
    row = fields.devices(IT)[1]
    assert (row["Enabled"], row["Last Share Pool"], row["Last Share Time"], row["Last Valid Work"]) == ("N", -1, 0, 0)
    assert (row["MHS av"], row["Utility"], row["Device Hardware%"]) == (0, 0, 0)


def test_what_never_happened_is_none_or_zero() -> None:
    thread = fields.notices(IT)[1]
    assert {name: value for name, value in thread.items() if name.startswith("*") and value} == {}
    assert (thread["Last Well"], thread["Last Not Well"], thread["Reason Not Well"]) == (0, 0, "None")
    [idle] = fields.pools(replace(IT, pools=(replace(MINED_ON, active=False, difficulty=None),)))
    assert (idle["Current Block Height"], idle["Current Block Version"], str(idle["Work Difficulty"])) == (
        0, 0, "0.00000000"
    )  # fmt: skip
    for height, shown in ((None, 0), (0, 0), (1, 0), (2, 1)):
        it = replace(IT, summary=replace(IT.summary, height=height, job=None), pools=(MINED_ON,))
        assert (fields.pools(it)[0]["Current Block Height"], fields.pools(it)[0]["Current Block Version"]) == (shown, 0)
    for state in ("down", "silent", "untried", "trying", "up"):
        [row] = fields.pools(replace(IT, pools=(replace(MINED_ON, state=state),)))
        assert (row["Status"], row["Stratum Active"]) == (
            "Dead" if state in ("down", "silent") else "Alive", state == "up",
        )  # fmt: skip
    empty = replace(IT, pools=(), devices=())
    assert (fields.lcd(empty)["Last Share Time"], fields.lcd(empty)["Last Valid Work"]) == (0, 0)
    assert fields.configuration(replace(IT, pools=(SPARE,)))["Strategy"] == "Failover"


def test_a_device_that_has_just_come_has_rates_at_once() -> None:
    row = printed(fields.device(IT, replace(STICK, came_at=NOW - 7.5, frozen_s=7.0, hashes=10**6, accepted=1)))
    assert (row["MHS av"], row["Utility"], row["Device Elapsed"]) == ("2.00", "120.00", "0")
    row = printed(fields.device(IT, replace(STICK, came_at=NOW - 7.0, frozen_s=7.0)))
    assert (row["MHS av"], row["Utility"]) == ("0.00", "0.00")
    row = printed(fields.summary(replace(IT, summary=replace(IT.summary, elapsed_s=0.5))))
    assert (row["Utility"], row["Work Utility"]) == ("25200.00", "72000.00")


def test_a_small_display_shows_the_hottest_chip_and_the_newest_nonce() -> None:
    cool = replace(STICK, chip_temperature_c=31.0, last_nonce_age_s=99.0)
    for devices in ((STICK, cool), (cool, STICK)):
        row = printed(fields.lcd(replace(IT, devices=devices)))
        assert (row["Temperature"], row["Last Valid Work"]) == ("61.12", "1799999995")


@pytest.mark.parametrize(
    ("state", "enabled", "status"),
    [("mining", "Y", "Alive"), ("throttled", "Y", "Alive"), ("idle", "Y", "Alive"), ("starting", "Y", "Initialising"),
     ("sick", "Y", "Sick"), ("dead", "Y", "Dead"), ("absent", "Y", "NoStart"), ("off", "N", "Alive"),
     ("removed", "N", "Alive")],
)  # fmt: skip
def test_states_have_cgminers_words(state: str, enabled: str, status: str) -> None:
    row = fields.device(IT, device(0, state=state))
    assert (row["Enabled"], row["Status"], row["No Device"]) == (enabled, status, state == "absent")


def test_the_last_share_is_the_newest_of_all_pools() -> None:
    it = replace(IT, pools=(SPARE, replace(MINED_ON, last_share_at=None)))
    assert fields.lcd(it)["Last Share Difficulty"] == 4.5
    assert fields.lcd(replace(it, pools=(MINED_ON, SPARE)))["Last Share Time"] == 1799999979


# ---- zero -----------------------------------------------------------------------------------------------------------


def later(it: View) -> View:
    """The view 100 s later: the stick found two shares, and one of them was accepted. Nothing else changed."""
    worth = it.summary.difficulties
    after = replace(
        it.summary, elapsed_s=1100.0, hash_rate=(11e12 + 1e12) / 1100,
        shares=SharesView(found=302, accepted=211, rejected=23, stale=33, lost=29, open=6),
        difficulties={**worth, "accepted": worth["accepted"] + 2.5, "rejected": worth["rejected"] + 2.5},
        blocks_seen=48, hardware_errors=9, blocks_accepted=5,
    )  # fmt: skip
    mined_on: PoolView = replace(
        MINED_ON, accepted=102, rejected=13, jobs=75, last_share_at=NOW + 99,
        difficulties={**MINED_ON.difficulties, "accepted": 204.5, "rejected": 26.5},
    )  # fmt: skip
    stick: DeviceView = replace(
        STICK, hashes=STICK.hashes + (10 << 32), nonces_found=402, accepted=131, refused=32, hardware_errors=10,
        last_share_at=NOW + 99, last_share_pool_id=5,
        difficulties={**STICK.difficulties, "accepted": 262.5, "rejected": 13.5},
    )  # fmt: skip
    return replace(it, at=it.at + 100, summary=after, pools=(SPARE, mined_on), devices=(stick, THREAD))


def test_zero_counts_anew() -> None:
    bests: list[Any] = []

    def best_since(at: float, pool_id: int | None) -> float:
        bests.append((at, pool_id))
        return 3.9

    zero = Zero(best_since)
    assert zero.since(IT) is IT
    zero.everything(IT)
    it = zero.since(later(IT))
    row = printed(fields.summary(it))
    wanted = {
        "Elapsed": "100", "MHS av": "10000.00", "MHS 5s": "12000.00", "MHS 15m": "15000.00", "Found Blocks": "1",
        "Getworks": "4", "Accepted": "1", "Rejected": "1", "Hardware Errors": "2", "Utility": "0.60", "Stale": "0",
        "Remote Failures": "0", "Network Blocks": "48", "Total MH": "1000000.0000", "Work Utility": "6.00",
        "Difficulty Accepted": "2.50000000", "Difficulty Rejected": "2.50000000", "Best Share": "3",
        "Device Hardware%": "16.6667", "Device Rejected%": "25.0000", "Pool Rejected%": "50.0000",
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert bests == [(NOW, None), (NOW, 2), (NOW, 5)]
    spare, mined_on = (printed(one) for one in fields.pools(it))
    assert (spare["Accepted"], spare["Last Share Time"], spare["Last Share Difficulty"]) == ("0", "0", "0.00000000")
    assert (mined_on["Accepted"], mined_on["Stale"], mined_on["Getworks"], mined_on["Best Share"]) == (
        "1",
        "0",
        "4",
        "3",
    )
    assert (mined_on["Last Share Time"], mined_on["Remote Failures"]) == ("1800000099", "0")
    stick, thread = (printed(one) for one in fields.devices(it))
    assert (stick["Accepted"], stick["Rejected"], stick["Hardware Errors"], stick["Diff1 Work"]) == (
        "1",
        "1",
        "2",
        "10",
    )
    assert (stick["Device Elapsed"], stick["Last Share Pool"], stick["Utility"]) == ("100", "5", "0.60")
    assert (stick["MHS av"], stick["Device Hardware%"]) == ("429.50", "16.6667")
    assert thread["Last Share Pool"] == "-1"


def test_zero_of_the_best_share_leaves_the_rest() -> None:
    zero = Zero(lambda at, pool_id: 0.0 if pool_id is None else float(pool_id))
    zero.best_share(IT)
    expected = {**SUMMARY, "Best Share": "0"}
    assert printed(fields.summary(zero.since(IT))) == expected
    assert [row["Best Share"] for row in fields.pools(zero.since(IT))] == [2, 5]


def test_what_comes_after_zero_counts_from_its_own_start() -> None:
    zero = Zero()
    zero.everything(replace(IT, pools=(MINED_ON,), devices=(THREAD,)))
    it = zero.since(later(IT))
    assert [row["Accepted"] for row in fields.pools(it)] == [109, 1]
    assert [row["Accepted"] for row in fields.devices(it)] == [131, 0]


def grown(before: Any, **more: float) -> Any:
    return replace(before, **{name: getattr(before, name) + value for name, value in more.items()})


def worth(before: Any, accepted: float, rejected: float, stale: float) -> dict[str, float]:
    more = {"accepted": accepted, "rejected": rejected, "stale": stale}
    return {outcome: value + more.get(outcome, 0.0) for outcome, value in before.difficulties.items()}


def test_after_zero_each_count_is_its_own_growth() -> None:
    zero = Zero(lambda at, pool_id: 500.0 if pool_id is None else 500.0 + pool_id)
    zero.everything(IT)
    shares = grown(IT.summary.shares, found=600, accepted=101, rejected=102, stale=103, lost=104, open=5)
    summary = replace(
        grown(IT.summary, elapsed_s=1000.0, blocks_accepted=6, hardware_errors=7, work_units=8, blocks_seen=9),
        hash_rate=20e9, shares=shares, difficulties=worth(IT.summary, 11.5, 12.5, 13.123456789),
    )  # fmt: skip
    mined_on = replace(
        grown(MINED_ON, accepted=21, rejected=22, stale=23, lost=24, jobs=25, work_units=26),
        difficulties=worth(MINED_ON, 31.5, 32.5, 33.5), last_share_at=NOW + 10, last_share_difficulty=2.75,
    )  # fmt: skip
    stick = replace(
        grown(STICK, frozen_s=400.0, hashes=60 << 32, nonces_found=93, accepted=42, refused=43, hardware_errors=7),
        difficulties=worth(STICK, 51.5, 52.5, 53.5), last_share_at=NOW + 20, last_share_pool_id=5,
        last_share_difficulty=2.125,
    )  # fmt: skip
    it = zero.since(replace(IT, at=NOW + 1000, summary=summary, pools=(SPARE, mined_on), devices=(stick, THREAD)))
    assert it.summary.shares == SharesView(found=600, accepted=101, rejected=102, stale=103, lost=104, open=5)
    assert printed(fields.summary(it)) == SUMMARY | {
        "MHS av": "29000.00", "Found Blocks": "6", "Getworks": "25", "Accepted": "101", "Rejected": "102",
        "Hardware Errors": "7", "Utility": "6.06", "Stale": "103", "Local Work": "8", "Remote Failures": "104",
        "Network Blocks": "56", "Total MH": "29000000.0000", "Work Utility": "3.60",
        "Difficulty Accepted": "11.50000000", "Difficulty Rejected": "12.50000000",
        "Difficulty Stale": "13.12345679", "Best Share": "500", "Device Hardware%": "7.0000",
        "Device Rejected%": "42.7058", "Pool Rejected%": "33.6714", "Pool Stale%": "35.3508", "GHS av": "29.000000",
    }  # fmt: skip
    assert printed(fields.pools(it)[0]) == POOLS[0] | {
        "Getworks": "0", "Accepted": "0", "Rejected": "0", "Works": "0", "Stale": "0", "Remote Failures": "0",
        "Last Share Time": "0", "Diff1 Shares": "0", "Difficulty Accepted": "0.00000000",
        "Difficulty Rejected": "0.00000000", "Difficulty Stale": "0.00000000", "Last Share Difficulty": "0.00000000",
        "Best Share": "502", "Pool Rejected%": "0.0000", "Pool Stale%": "0.0000",
    }  # fmt: skip
    assert printed(fields.pools(it)[1]) == POOLS[1] | {
        "Getworks": "25", "Accepted": "21", "Rejected": "22", "Works": "26", "Stale": "23", "Remote Failures": "24",
        "Last Share Time": "1800000010", "Diff1 Shares": "97", "Difficulty Accepted": "31.50000000",
        "Difficulty Rejected": "32.50000000", "Difficulty Stale": "33.50000000",
        "Last Share Difficulty": "2.75000000", "Best Share": "505", "Pool Rejected%": "33.3333",
        "Pool Stale%": "34.3590",
    }  # fmt: skip
    # it ran for 600 of the 1000 s: 60 x 2^32 hashes in 600 s
    assert printed(fields.devices(it)[0]) == DEVICE | {
        "MHS av": "429.50", "Accepted": "42", "Rejected": "43", "Hardware Errors": "7", "Utility": "4.20",
        "Last Share Pool": "5", "Last Share Time": "1800000020", "Total MH": "257698.0378", "Diff1 Work": "60",
        "Difficulty Accepted": "51.50000000", "Difficulty Rejected": "106.00000000",
        "Last Share Difficulty": "2.12500000", "Last Valid Work": "1800000995", "Device Hardware%": "7.0000",
        "Device Rejected%": "176.6667", "Device Elapsed": "600",
    }  # fmt: skip
    again = zero.since(replace(IT, at=NOW + 1000, devices=(replace(STICK, nonces_found=393),)))
    assert printed(fields.devices(again)[0])["Last Share Difficulty"] == "0.00000000"
    assert (fields.devices(again)[0]["Last Share Pool"], fields.devices(again)[0]["Last Share Time"]) == (-1, 0)


def test_after_zero_an_average_needs_time() -> None:
    zero = Zero()
    zero.everything(IT)
    assert zero.since(IT).summary.hash_rate == 0.0
    soon = replace(IT, summary=replace(IT.summary, elapsed_s=1000.5, hash_rate=11e9))
    assert zero.since(soon).summary.hash_rate == pytest.approx(11e9)
    assert zero.since(IT).summary.best_share == 0.0
    assert zero.since(IT).pools[0].difficulties == {"accepted": 0.0, "rejected": 0.0, "stale": 0.0, "lost": 0.0}
    known = replace(MINED_ON, difficulties={"accepted": 203.0, "new": 1.23456789012})
    [pool] = zero.since(replace(IT, pools=(known,))).pools
    assert pool.difficulties == {"accepted": 1.0, "new": 1.2345678901}
