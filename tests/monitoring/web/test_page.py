"""Tests the page in a real browser: it shows the API's data, makes changes, and survives a miner that stops and starts
again. It works with a keyboard only, on a phone, with a dark theme and with a screen reader.
"""

import random
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from stratum_miner.monitoring.difference import difference
from stratum_miner.monitoring.http import application, stream
from stratum_miner.monitoring.http import page as pages
from stratum_miner.monitoring.http.page import WEB
from stratum_miner.monitoring.view import View
from stratum_miner.quantities import duration_text, hash_rate_text
from tests.monitoring.screen.test_layout import pool

from ..served import TOKEN, PlayedMonitor, ServedMiner, farm_view, full_view, serving
from .conftest import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
UNAUTHORIZED = "status of 401"
GONE = "net::ERR_"


# ---- what it shows --------------------------------------------------------------------------------------------------


def test_its_figures_are_those_of_the_api(played: ServedMiner, page: Page) -> None:
    page.open(played)
    told = played.ask("view")
    summary = told["summary"]
    assert page.text("#hash-rate") == hash_rate_text(summary["hash_rate_1m"])
    assert page.text("#state") == summary["state"]
    rates = page.terms("#rates")
    assert rates["5 s"] == hash_rate_text(summary["hash_rate_5s"])
    assert rates["from accepted shares"] == "150 MH/s"
    assert "95 %: 120 MH/s to 180 MH/s" in page.text("#rates")
    tiles = page.terms("#tiles")
    assert [tiles[name] for name in ("Accepted", "Rejected", "Stale", "Lost")] == [
        str(summary["shares"][fate]) for fate in ("accepted", "rejected", "stale", "lost")
    ]
    assert tiles["Luck"] == f"{summary['luck']['ratio']:.2f}"
    assert "126 shares were found. On average, the hashes computed find 120" in page.text("#luck-words")
    assert page.text("#power") == "65.0 W"
    glance = page.terms("#glance")
    assert glance["Hash rate"] == hash_rate_text(summary["hash_rate_1m"])
    assert glance["Power"] == "65.0 W"
    assert glance["Devices"] == "4 of 4"
    now = page.terms("#now")
    assert now["Job"] == summary["job"]["job_id"]
    assert now["Age of the job"] == duration_text(summary["job"]["age_s"])
    assert now["Block height"] == f"{summary['height']:,}"
    assert now["stratum_miner"] == summary["version"]
    assert page.terms("#economics-list")["Electricity a day"] == "0.4680"


def test_devices_pools_shares_and_blocks_are_those_of_the_api(played: ServedMiner, page: Page) -> None:
    page.open(played)
    told = played.ask("view")
    devices = page.rows("#device-table")
    assert [row[0].split()[0] for row in devices] == [device["name"] for device in told["devices"]]
    assert [row[2] for row in devices] == [hash_rate_text(device["hash_rate_1m"]) for device in told["devices"]]
    assert devices[3][1].split(maxsplit=1) == ["throttled", "72 C"]
    assert devices[3][4:7] == ["61.5 °C", "4,200 rpm", "15.2 W"]
    assert devices[3][7].startswith("12 (")
    pools = page.rows("#pool-table")
    assert pools[0][0].startswith("0  pool0.example:3333")
    assert "mined on" in pools[0][1]
    assert pools[1][1].split("\n") == ["down", "Connection refused", "for", "11m40s"]
    assert pools[2][1].startswith("disabled")
    assert [row[2] for row in pools] == [str(item["accepted"]) for item in told["pools"]]
    shares = page.rows("#share-table")
    assert len(shares) == 10
    assert shares[4][1] == "rejected\nlow difficulty share"
    page.press("Show more shares")
    assert len(page.rows("#share-table")) == len(told["shares"])
    assert page.rows("#block-table")[0][2] == told["blocks"][0]["hash"]


def names_of_devices(page: Page) -> list[str]:
    return [row[0].split()[0] for row in page.rows("#device-table")]


def test_what_is_wrong_stands_above_everything_until_it_is_over(played: ServedMiner, page: Page) -> None:
    farm = played.monitor.shown = farm_view()
    page.open(played)
    assert page.text("#state") == "11 of 12 devices mine"
    assert page.driver.title == "11 of 12 devices mine · 12.7 TH/s · 177 W · stratum_miner"
    bars = [bar.text for bar in page.all("#problem-list li")]
    assert [bar.split()[1] for bar in bars] == ["bitaxe-4", "bitaxe-9", "bitaxe-7"]
    assert all(problem.advice in bar for problem, bar in zip(farm.summary.problems, bars, strict=True))
    assert "Critical" in bars[0]
    assert page.script(
        "return document.getElementById('problems').compareDocumentPosition(document.getElementById('main')) & 4"
    )
    page.script(
        "window.said = []; const told = document.getElementById('announcements'); "
        "new MutationObserver(() => said.push(told.textContent)).observe(told, { childList: true })"
    )
    assert page.text("#announcements").startswith("Critical: bitaxe-4 is off: tripped at 76 °C. Remove the cause")
    older = tuple(replace(problem, since_s=problem.since_s + 60) for problem in farm.summary.problems)
    played.monitor.shown = replace(farm, summary=replace(farm.summary, problems=older))
    page.until(lambda: "for 25m00s" in page.text("#problem-list"), "a later moment")
    assert page.script("return said") == []  # once, and not each second
    played.monitor.shown = replace(
        farm, summary=replace(farm.summary, state="mining", devices_mining=12, detail="", problems=older[1:])
    )
    page.until(lambda: len(page.all("#problem-list li")) == 2, "a problem that is over")
    assert page.script("return said") == ["No longer: bitaxe-4 is off: tripped at 76 °C."]
    assert page.text("#state") == "mining"


@pytest.mark.parametrize(
    ("state", "detail", "words", "bar"),
    [
        ("paused", "paused by the schedule: until 22:00", "paused", "Paused by the schedule: until 22:00."),
        ("no_pool", "pool p: refused", "no pool", "No pool gives work: pool p: refused."),
        ("no_device", "no device mines; cpu0 is dead", "no device mines", "No device mines; cpu0 is dead."),
    ],
)
def test_why_nothing_is_mined_is_said_at_the_top(
    state: str, detail: str, words: str, bar: str, played: ServedMiner, page: Page
) -> None:
    shown = played.monitor.shown
    played.monitor.shown = replace(shown, summary=replace(shown.summary, state=state, detail=detail))
    page.open(played)
    assert page.text("#state") == words
    assert page.driver.title.startswith(f"{words} · ")
    assert bar in page.text("#problem-list")


def test_sick_devices_come_first_and_any_column_sorts(played: ServedMiner, page: Page) -> None:
    farm = played.monitor.shown = farm_view()
    page.open(played)
    by_id = [f"bitaxe-{number}" for number in range(12) if number not in (4, 7, 9)]
    assert names_of_devices(page) == ["bitaxe-4", "bitaxe-7", "bitaxe-9", *by_id]
    heads = page.all("#device-table thead th")
    page.press("Errors")
    assert names_of_devices(page)[0] == "bitaxe-9"
    assert [head.get_attribute("aria-sort") for head in heads].index("descending") == 7
    page.press("Chip")
    assert names_of_devices(page)[:2] == ["bitaxe-7", "bitaxe-0"]
    assert names_of_devices(page)[-1] == "bitaxe-9"  # which has no sensor: last, whichever way round
    page.keys(Keys.ENTER)
    assert names_of_devices(page)[0] == "bitaxe-4"
    assert names_of_devices(page)[-1] == "bitaxe-9"
    assert [head.get_attribute("aria-sort") for head in heads].count("ascending") == 1
    page.keys(Keys.ENTER)
    assert names_of_devices(page)[:3] == ["bitaxe-4", "bitaxe-7", "bitaxe-9"]
    totals = page.script(
        "return [...document.querySelectorAll('#device-table tfoot > tr > *')].map((it) => it.innerText)"
    )
    assert totals == ["Total", "11 of 12 mine", "12.7 TH/s", "", "", "", "177 W", "734", "14,808", "36"]
    gone = replace(farm.devices[4], state="removed", reason="")
    played.monitor.shown = replace(
        farm,
        devices=(*farm.devices[:4], gone, *farm.devices[5:]),
        summary=replace(farm.summary, problems=farm.summary.problems[1:]),
    )
    page.until(lambda: names_of_devices(page)[-1] == "bitaxe-4", "what was removed to be the last")
    assert page.text("#device-table tfoot").split("\t")[1] == "11 of 11 mine"


def test_twelve_devices_are_a_line_each_on_a_phone(played: ServedMiner, page: Page) -> None:
    played.monitor.shown = farm_view()
    page.shape(375, 800)
    page.open(played)
    height = page.script("return document.getElementById('device-table').offsetHeight")
    assert height < 14 * 50
    top = page.script("return document.getElementById('device-table').getBoundingClientRect().top")
    assert top < 800  # after the problems and the total, and nothing else
    inner = page.script(
        "return ['device-table', 'devices'].map((id) => document.getElementById(id).getBoundingClientRect().right)"
    )
    assert inner[0] < inner[1]
    page.press("Details of bitaxe-9")
    details = page.terms("#device-table .below dl")
    assert details["Errors"] == "734 (30.2 %)"
    assert details["Power"] == "16.1 W"


def test_charts_have_one_label_for_each_line_and_a_hole_where_nothing_was_measured(
    played: ServedMiner, page: Page
) -> None:
    shown = played.monitor.shown
    still = tuple(replace(point, hash_rate=0.0, accepted=0, rejected=0) for point in shown.history)
    played.monitor.shown = replace(shown, history=still)
    page.open(played)
    labels = (
        "return [...document.querySelectorAll('#chart-hash-rate text[text-anchor=end]')].map((it) => it.textContent)"
    )
    page.until(lambda: page.script(labels) == ["0 H/s"], "one line at zero")
    assert page.text("#chart-latency .empty") == "No pool has answered a share yet."  # a median is no answer
    line = "return document.querySelectorAll('#chart-hash-rate polyline.line').length"
    assert page.script(line) == 1
    played.monitor.shown = replace(shown, history=(*shown.history[:150], *shown.history[155:]))  # it did not run
    page.driver.refresh()
    page.until(lambda: page.script(line) == 2, "a hole in the line")


def test_chips_and_the_rest_of_a_machine_are_shown_on_request(played: ServedMiner, page: Page) -> None:
    page.open(played)
    page.press("Details of bitaxe-1")
    details = page.terms("#device-table .below dl")
    assert details["Nonces of each chip"] == "31 · 29"
    assert details["Frequency"] == "525.0 MHz"
    page.press("Details of bitaxe-1")
    assert page.all("#device-table dl") == []


def test_charts_tell_their_values_to_everybody(played: ServedMiner, page: Page) -> None:
    page.open(played)
    newest = played.ask("history")[-1]
    label = page.one("#chart-hash-rate svg").get_attribute("aria-label")
    assert label is not None
    assert f"now {hash_rate_text(newest['hash_rate'])}; lowest 150 MH/s; highest 156 MH/s" in label
    assert page.text("#chart-temperature .readout") == f"{newest['temperature_c']:.1f} °C"
    assert len(page.all("#chart-shares svg .bar")) > 20
    page.click("#chart-latency summary")
    table = page.until(lambda: page.rows("#chart-latency table"), "a table")
    assert table[0][1] == "22.0 ms"  # of the newest point at which a pool had answered
    assert 20 < len(table) <= 30
    page.one("#chart-latency svg").send_keys(Keys.HOME)  # a value under the arrow keys
    assert page.text("#chart-latency .readout").endswith("23.0 ms")
    page.keys(Keys.ARROW_RIGHT)
    assert page.text("#chart-latency .readout").endswith("21.0 ms")
    page.press("24 hours")
    page.until(lambda: any("api/v1/history" in url for url in page.requests()), "the history of a day")
    assert "MH/s" in page.text("#chart-hash-rate .readout")


def test_what_nobody_knows_is_said_in_words(steered: ServedMiner, page: Page) -> None:
    page.open(steered)
    assert page.text("#chart-temperature .empty") == "No device reports a temperature."
    assert page.text("#chart-latency .empty") == "No pool has answered a share yet."
    assert page.text("#block-none") == "No block has been solved in this run yet."
    assert page.text("#share-none") == "No share has a result yet."
    assert not page.one("#economics").is_displayed()
    assert page.text("#state") == "no pool"
    page.until(lambda: page.driver.title.startswith("no pool · 0 H/s · "), "the title")


def test_events_come_as_they_happen_and_can_be_filtered(played: ServedMiner, page: Page) -> None:
    log = played.monitor.events
    log.take("paused", "info", {}, 1.7e9)
    for number in range(20):
        log.take("share_accepted", "info", {"difficulty": number}, 1.7e9)
        log.take("new_block", "info", {"job_id": number, "difficulty": 1}, 1.7e9)
    page.open(played)
    log.take("pool_unreachable", "warning", {"reason": "refused"}, 1.7e9)
    log.take("worker_refused", "error", {"pool": "p"}, 1.7e9)
    page.until(lambda: len(page.all("#event-list li")) == 3, "three events")
    assert page.one("#event-list li").get_attribute("data-name") == "worker_refused"
    assert "The pool refuses" not in page.text("#event-list")
    page.one("#event-level").send_keys("errors")
    page.until(lambda: len(page.all("#event-list li")) == 1, "one event")
    assert "No worker may mine on the pool p." in page.text("#event-list")
    page.one("#event-level option[value=info]").click()
    page.until(lambda: len(page.all("#event-list li")) == 43, "all events")


def test_the_configuration_is_shown_with_origins(played: ServedMiner, page: Page) -> None:
    played.configuration = {
        "file": "miner.toml",
        "groups": [
            {
                "title": "mine", "note": "",
                "settings": [
                    {"key": "pass", "value": '"***"', "origin": "miner.toml:4"},
                    {"key": "journal", "value": None, "origin": "default"},
                ],
            }
        ],
    }  # fmt: skip
    page.open(played)
    page.press("Show")
    page.until(lambda: page.rows("#configuration-body table"), "the settings")
    assert page.rows("#configuration-body table") == [["pass", '"***"', "miner.toml:4"]]
    assert "1 options that are not set" in page.text("#configuration-body")
    assert "miner.toml" in page.text("#configuration-body p")


def test_what_pools_and_devices_say_is_text(played: ServedMiner, page: Page) -> None:
    shown: View = played.monitor.shown
    played.monitor.shown = replace(
        shown,
        summary=replace(shown.summary, pool=HOSTILE, worker_name=HOSTILE, reasons={HOSTILE: 1}),
        pools=(pool(0, name=HOSTILE, reason=HOSTILE),),
        devices=(replace(shown.devices[0], name=HOSTILE, detail=HOSTILE, reason=HOSTILE),),
        shares=(replace(shown.shares[0], reason=HOSTILE, pool=HOSTILE, device=HOSTILE),),
        blocks=(replace(shown.blocks[0], hash=HOSTILE, pool=HOSTILE),),
    )
    played.monitor.events.take("pool_message", "info", {"text": HOSTILE}, 1.7e9)
    played.configuration = {
        "file": HOSTILE,
        "groups": [{"title": HOSTILE, "note": "", "settings": [{"key": HOSTILE, "value": HOSTILE, "origin": HOSTILE}]}],
    }
    page.open(played)
    page.press("Show")
    page.until(lambda: page.rows("#configuration-body table"), "the settings")
    for place in ("#now", "#pool-table", "#device-table", "#share-table", "#block-table", "#event-list"):
        assert HOSTILE in page.text(place), place
    assert page.all("main img, main script") == []
    assert "owned" not in page.driver.title


# ---- what it changes ------------------------------------------------------------------------------------------------


def names(served: ServedMiner) -> list[str]:
    return [item["name"] for item in served.ask("pools")]


def test_a_pool_is_added_moved_switched_off_and_removed(steered: ServedMiner, page: Page) -> None:
    page.allowed = (UNAUTHORIZED,)
    page.open(steered)
    one, two = names(steered)
    page.press("Add a pool")
    page.type("#pool-form [name=url]", "stratum+tcp://three.example:3333")
    page.type("#pool-form [name=user]", "worker")
    page.type("#pool-form [name=name]", HOSTILE)
    page.one("#pool-form [type=submit]").click()
    page.until(lambda: page.one("#token-dialog").is_displayed(), "the question for the token")
    assert "Changes require the API token" in page.text("#token-why")
    page.type("#token-input", "not-the-token-at-all")
    page.keys(Keys.ENTER)
    page.until(lambda: "not the token of this miner" in page.text("#token-why"), "to be told")
    assert names(steered) == [one, two]
    page.type("#token-input", TOKEN)
    page.keys(Keys.ENTER)
    page.notice("added")
    assert names(steered) == [one, two, HOSTILE]

    page.press(f"Move up {HOSTILE}")
    page.notice("now has priority 1")
    assert names(steered) == [one, HOSTILE, two]
    page.until(lambda: HOSTILE in page.rows("#pool-table")[1][0], "the pool to move")
    assert page.focused() == f"Move up {HOSTILE}"  # whoever moves it on need not look for it

    page.press(f"Mine here: {two}")
    page.notice("is now the first")
    assert names(steered) == [two, one, HOSTILE]

    page.press(f"Disable {one}")
    page.notice("was disabled")
    assert [item["enabled"] for item in steered.ask("pools")] == [True, False, True]
    page.press(f"Enable {one}")
    page.notice("was enabled")

    page.press(f"Remove {HOSTILE}")
    page.until(lambda: page.one("#confirm-dialog").is_displayed(), "a question")
    page.press("Cancel")
    assert len(names(steered)) == 3
    page.press(f"Remove {HOSTILE}")
    page.press("Remove")
    page.notice("removed")
    assert names(steered) == [two, one]
    page.until(lambda: len(page.rows("#pool-table")) == 2, "the pool to go")


def test_what_makes_no_sense_is_told_in_the_miners_words(steered: ServedMiner, page: Page) -> None:
    page.allowed = ("status of 409",)
    page.open(steered, f"#token={TOKEN}")
    page.press("Add a pool")
    page.type("#pool-form [name=url]", "ftp://three.example")
    page.type("#pool-form [name=user]", "worker")
    page.one("#pool-form [type=submit]").click()
    page.notice("expected")
    assert page.one("#notice").get_attribute("data-kind") == "refused"
    assert page.one("#pool-form [name=url]").get_attribute("value") == "ftp://three.example"  # to be mended


def test_pausing_and_ending_ask_first(played: ServedMiner, page: Page) -> None:
    page.open(played, f"#token={TOKEN}")
    for name, yes, call in (("Pause", "Pause", "pause"), ("Quit", "Stop it", "quit")):
        page.one(f"#{name.lower()}").click()
        page.until(lambda: page.one("#confirm-dialog").is_displayed(), "a question")
        page.keys(Keys.ESCAPE)
        page.until(lambda: not page.one("#confirm-dialog").is_displayed(), "the question to go")
        assert [item[0] for item in played.control.calls] == []
        page.one(f"#{name.lower()}").click()
        page.until(lambda: page.one("#confirm-dialog").is_displayed(), "a question")
        page.one("#confirm-yes").click()
        page.until(
            lambda: [item[0] for item in played.control.calls] == [call],  # noqa: B023  runs now
            f"{yes} to be done",
        )
        played.control.calls.clear()
    shown = played.monitor.shown
    played.monitor.shown = replace(shown, summary=replace(shown.summary, state="paused"))
    page.press("Resume")
    page.until(lambda: [item[0] for item in played.control.calls] == ["resume"], "it to go on")


def test_machines_are_added_and_restarted_and_parts_of_the_computer_are_not(played: ServedMiner, page: Page) -> None:
    page.open(played, f"#token={TOKEN}")
    page.press("Details of cpu0")
    page.press("Details of bitaxe-1")
    assert page.button("Restart cpu0") is None
    page.press("Restart bitaxe-1")
    page.press("Restart")
    page.until(lambda: played.control.calls == [("restart_device", 2)], "a restart")
    page.press("Add a device")
    page.type("#device-form input", "bitaxe:/dev/ttyACM0")
    page.keys(Keys.ENTER)
    page.until(lambda: ("add_device", "bitaxe:/dev/ttyACM0") in played.control.calls, "a machine more")
    page.press("Reload the file")
    page.notice("Quota changed.")


# ---- the token ------------------------------------------------------------------------------------------------------


def test_a_token_in_the_address_is_taken_and_gone(steered: ServedMiner, page: Page) -> None:
    page.open(steered, f"#token={TOKEN}")
    assert page.driver.current_url == steered.url
    assert page.script("return sessionStorage.getItem('stratum-miner-token')") == TOKEN
    assert page.script("return history.length") <= 2
    page.press("Forget the token")
    assert page.script("return sessionStorage.length") == 0
    assert TOKEN not in page.script("return document.documentElement.outerHTML + JSON.stringify(localStorage)")


def test_on_the_network_reading_needs_the_token_too(page: Page) -> None:
    page.allowed = (UNAUTHORIZED,)
    with serving(PlayedMonitor(full_view()), None, open_reading=False) as served:
        page.open(served, link="locked")
        page.until(lambda: page.one("#token-dialog").is_displayed(), "the question for the token")
        page.type("#token-input", "wrong-wrong-wrong")
        page.keys(Keys.ENTER)
        page.until(lambda: "not the token of this miner" in page.text("#token-why"), "to be told")
        page.keys(Keys.ESCAPE)
        page.until(lambda: "requires its API token for reading" in page.text("#banner"), "the banner")
        page.press("Enter the token")
        page.type("#token-input", TOKEN)
        page.keys(Keys.ENTER)
        page.until(lambda: page.text("#hash-rate") == "158 MH/s", "figures")
        page.driver.refresh()
        page.until(lambda: page.text("#hash-rate") == "158 MH/s", "figures without being asked again")
        page.leave()


# ---- a miner that goes and comes ------------------------------------------------------------------------------------


def test_a_lost_connection_is_told_with_the_age_of_what_is_shown_and_comes_back(
    played: ServedMiner, page: Page
) -> None:
    page.allowed = (GONE,)
    page.open(played)
    page.until(lambda: page.text("#freshness") == "live", "figures")
    played.stop()
    page.until(lambda: page.one("#banner").is_displayed(), "the banner")
    assert re.match(r"No connection: .*\. The data shown is \d+s old\. Next attempt in \d+ s\.", page.text("#banner p"))
    assert page.text("#announcements") == "The connection to the miner is lost."
    assert page.text("#hash-rate") == "158 MH/s"  # still there
    page.until(lambda: "Next attempt in 4 s" in page.text("#banner p"), "longer pauses")
    shown = played.monitor.shown
    played.monitor.shown = replace(shown, summary=replace(shown.summary, hash_rate_1m=2e6))
    played.start()
    page.press("Try now")
    page.until(lambda: page.text("#hash-rate") == "2.00 MH/s", "the news")
    page.until(lambda: not page.one("#banner").is_displayed(), "the banner to go")
    assert page.text("#announcements") == "The connection to the miner is back."


def test_a_miner_that_began_anew_has_its_own_events(played: ServedMiner, page: Page) -> None:
    for number in range(5):
        played.monitor.events.take("paused", "info", {"reason": f"old {number}"}, 1.7e9)
    page.allowed = (GONE,)
    page.open(played)
    page.until(lambda: len(page.all("#event-list li")) == 5, "events")
    played.stop()
    fresh = PlayedMonitor(full_view())
    fresh.shown = replace(fresh.shown, summary=replace(fresh.shown.summary, started_at=fresh.shown.at))
    fresh.events.take("resumed", "info", {"reason": "new"}, 1.7e9)
    played.monitor = fresh
    played.start()
    page.until(lambda: page.text("#event-list").endswith("Mining continues: new."), "the events of now")
    assert "old" not in page.text("#event-list")
    fresh.events.take("resumed", "info", {"reason": "newer"}, 1.7e9)
    page.until(lambda: "newer" in page.text("#event-list"), "an event that comes")


def test_a_short_loss_is_repaired_without_a_word(
    played: ServedMiner, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = stream._block
    missed: list[str] = []

    def missing_one(kind: str, value: Any) -> bytes:
        if kind == "change" and "now" in missed:
            missed.remove("now")
            return b""
        return block(kind, value)

    monkeypatch.setattr(stream, "_block", missing_one)
    page.open(played)
    page.script(
        "const banner = document.getElementById('banner'); document.bannerSeen = false; "
        "new MutationObserver(() => (document.bannerSeen ||= !banner.hidden)).observe(banner, { attributes: true })"
    )
    assert len([url for url in page.requests() if url.endswith("/stream")]) == 1
    shown = played.monitor.shown
    played.monitor.shown = replace(shown, summary=replace(shown.summary, hash_rate_1m=2e6))
    missed.append("now")
    page.until(lambda: any(url.endswith("/stream") for url in page.requests()), "another connection")
    page.until(lambda: page.text("#hash-rate") == "2.00 MH/s", "what was missed")
    page.until(lambda: page.text("#freshness") == "live", "figures of now")
    assert page.script("return document.bannerSeen") is False
    assert page.text("#announcements") == ""


def test_a_page_that_nobody_looks_at_rests(played: ServedMiner, page: Page) -> None:
    page.open(played)
    hide = (
        "Object.defineProperty(document, 'hidden', { configurable: true, value: arguments[0] });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.script(hide, True)
    page.until(lambda: page.text("#freshness") == "not updated", "rest")
    assert not page.one("#banner").is_displayed()
    asked = [url for url in page.requests() if url.endswith("/stream")]
    for number in range(3):
        played.monitor.events.take("paused", "info", {"reason": f"meanwhile {number}"}, 1.7e9)
    shown = played.monitor.shown
    played.monitor.shown = replace(shown, summary=replace(shown.summary, hash_rate_1m=2e6))
    page.script(hide, False)
    page.until(lambda: page.text("#hash-rate") == "2.00 MH/s", "the news")
    page.until(lambda: page.text("#event-list").count("meanwhile") == 3, "what happened meanwhile")
    assert len(asked) == len([url for url in page.requests() if url.endswith("/stream")]) == 1


def test_the_history_is_fetched_once_and_extended_by_the_stream(played: ServedMiner, page: Page) -> None:
    page.open(played)
    page.until(lambda: len(page.all("#chart-shares svg .bar")) > 20, "charts")
    for _ in range(3):
        page.press("24 hours")
        page.press("10 minutes")
    shown = played.monitor.shown
    point = replace(shown.history[-1], at=time.time(), hash_rate=9.87e8)
    played.monitor.shown = replace(shown, at=time.time(), history=(*shown.history[1:], point))
    page.until(lambda: page.text("#chart-hash-rate .readout") == "987 MH/s", "the new point")
    page.press("24 hours")
    assert "MH/s" in page.text("#chart-hash-rate .readout")
    assert len([url for url in page.requests() if "/api/v1/history" in url]) == 1


def test_a_miner_with_another_page_has_its_own_page_loaded(
    played: ServedMiner, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.allowed = (GONE,)
    page.open(played)
    old = page.one("script[type=module]").get_attribute("src")
    played.stop()
    other = shutil.copytree(WEB, tmp_path / "web")
    (other / "app.js").write_text((other / "app.js").read_text() + "\n// another version\n")
    monkeypatch.setattr(application, "PageFiles", lambda: pages.PageFiles(other))
    played.start()
    page.until(lambda: page.one("script[type=module]").get_attribute("src") != old, "the other page")
    page.until(lambda: page.text("#freshness") == "live", "figures")
    assert page.script("return performance.getEntriesByType('navigation')[0].type") == "reload"


def test_the_page_makes_of_differences_what_they_are_made_of(played: ServedMiner, page: Page) -> None:
    chance = random.Random(1)

    def value(depth: int = 3) -> Any:
        kind = chance.randrange(6 if depth else 4)
        if kind == 4:
            return [value(depth - 1) for _ in range(chance.randrange(3))]
        if kind == 5:
            return {key: value(depth - 1) for key in "abcd" if chance.random() < 0.6}
        return [None, True, chance.randrange(3), "text"][kind]

    pairs = [(value(), value()) for _ in range(500)]
    steps = [[before, difference(before, after), after] for before, after in pairs if difference(before, after)]
    page.open(played)
    found = page.driver.execute_async_script(
        "const [steps, src, done] = arguments; import(src.replace('app.js', 'live.js')).then(({ changed }) => "
        "done(steps.map(([before, change]) => changed(before, change))))",
        steps,
        page.one("script[type=module]").get_attribute("src"),
    )
    assert len(steps) > 300
    assert found == [after for _, _, after in steps]


# ---- for everybody --------------------------------------------------------------------------------------------------


def test_a_keyboard_is_enough(steered: ServedMiner, page: Page) -> None:
    page.open(steered, f"#token={TOKEN}")
    page.tab_to("Skip to the figures", most=1)
    page.tab_to("Pause")
    page.keys(Keys.ENTER)
    page.until(lambda: page.one("#confirm-dialog").is_displayed(), "a question")
    page.keys(Keys.ESCAPE)
    page.until(lambda: page.focused() == "Pause", "the focus to come back")
    page.tab_to("Add a pool")
    page.keys(Keys.SPACE)
    page.keys("stratum+tcp://three.example:3333")  # the focus is in the first field
    page.keys(Keys.TAB)
    page.keys("worker", Keys.ENTER)
    page.notice("added")
    page.tab_to("Move down stratum+tcp://one.example:3333")
    page.keys(Keys.ENTER)
    page.notice("now has priority 1")
    assert names(steered)[1] == "stratum+tcp://one.example:3333"


def test_tab_goes_through_everything_seen_and_never_stays(played: ServedMiner, page: Page) -> None:
    page.open(played)
    wanted = page.script(
        "return [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]')]"
        ".filter((node) => node.checkVisibility() && !node.disabled).length"
    )
    seen = page.script("window.seen = new Set(); return 0")
    for _ in range(wanted):
        page.keys(Keys.TAB)
        outlined = page.script(
            "const at = document.activeElement; seen.add(at); const style = getComputedStyle(at);"
            "return at !== document.body && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1"
        )
        assert outlined, page.focused()
    seen = page.script("return seen.size")
    assert seen == wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_until_the_switch_says_otherwise(
    scheme: str, played: ServedMiner, page: Page
) -> None:
    def is_dark() -> bool:
        colour = page.script("return getComputedStyle(document.body).backgroundColor")
        return all(int(part) < 100 for part in re.findall(r"\d+", colour)[:3])

    page.prefer(scheme=scheme)
    page.open(played)
    assert is_dark() == (scheme == "dark")
    page.press("Theme: auto")
    assert not is_dark()
    page.press("Theme: light")
    assert is_dark()
    page.driver.refresh()
    page.until(lambda: page.button("Theme: dark"), "the page again")
    assert is_dark()


@pytest.mark.parametrize("width", [320, 375, 760, 1024, 1920])
def test_nothing_is_wider_than_the_screen(width: int, played: ServedMiner, page: Page) -> None:
    page.shape(width, 800)
    shown = played.monitor.shown
    long = "a-very-long-name-without-any-place-to-break-it" * 3
    played.monitor.shown = replace(
        shown, pools=(*shown.pools, pool(3, name=long)), devices=(*shown.devices, replace(shown.devices[0], name=long))
    )
    played.configuration = {
        "file": long,
        "groups": [{"title": "mine", "note": "", "settings": [{"key": "url", "value": long, "origin": long}]}],
    }
    page.open(played)
    for name in ("Add a pool", "Add a device", "Details of bitaxe-1", "Show"):
        page.press(name)
    page.until(lambda: page.all("#configuration-body table"), "the settings")
    page.click("#chart-latency summary")
    wide = page.script("const root = document.documentElement; return [root.scrollWidth, root.clientWidth]")
    assert wide[0] == wide[1]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")])
def test_axe_finds_nothing(width: int, scheme: str, played: ServedMiner, page: Page, axe: str) -> None:
    page.shape(width, 900)
    page.prefer(scheme=scheme)
    played.configuration = {
        "file": None,
        "groups": [{"title": "mine", "note": "", "settings": [{"key": "url", "value": "x", "origin": "default"}]}],
    }
    for level in ("info", "warning", "error"):
        played.monitor.events.take("paused", level, {}, 1.7e9)
    page.open(played)
    for name in ("Add a pool", "Add a device", "Details of bitaxe-1", "Show"):
        page.press(name)
    page.click("#chart-shares summary")
    page.until(lambda: page.all("#configuration-body table"), "the settings")
    assert violations(page, axe) == []
    page.one("#quit").click()
    page.until(lambda: page.one("#confirm-dialog").is_displayed(), "a question")
    assert violations(page, axe) == []


def test_axe_finds_nothing_where_the_token_is_asked_for(page: Page, axe: str) -> None:
    page.allowed = (UNAUTHORIZED,)
    with serving(PlayedMonitor(full_view()), None, open_reading=False) as served:
        page.open(served, link="locked")
        page.until(lambda: page.one("#token-dialog").is_displayed(), "the question for the token")
        assert violations(page, axe) == []
        page.leave()


def violations(page: Page, axe: str) -> list[str]:
    """Return the violated rules with the elements."""
    if not page.script("return 'axe' in window"):
        page.script(axe)
    found = page.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then("
        "({violations}) => done(violations.map(({id, nodes}) => id + ': ' + nodes.map((node) => "
        "node.target + ' ' + node.failureSummary).join(' | '))), (error) => done([String(error)]))"
    )
    return [str(item) for item in found]


def test_motion_is_left_out_where_it_is_not_wanted(played: ServedMiner, page: Page) -> None:
    page.prefer(scheme="light", motion="reduce")
    page.open(played)
    moving = page.script(
        "return document.getAnimations().length + [...document.querySelectorAll('*')].filter((node) => "
        "getComputedStyle(node).transitionDuration !== '0s').length"
    )
    assert moving == 0
