"""``config init``, ``check`` and ``show``, and the settings that ``mine`` reads from its three sources."""

import os
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.config.profiles import BackendProfile, PoolProfile
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.process import secrets
from stratum_miner.app.settings.mine import MineSettings, Sources, find_file, load
from stratum_miner.backends.cpu import processors
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.client.dialing.tunnel import TunnelUrl
from stratum_miner.client.settings import Strategy
from tests.cli.one_command import run

TWO_POOLS = """\
user = "everybody"
suggest_difficulty = "auto"

[pools.home]
url = "stratum+tcp://home.example:3333"
pass = "hunter2home"
quota = 70
version_mask = "1fff0000"

[pools.away]
url = "stratum+ssl://away.example:4444"
user = "traveller"
priority = 0
quota = 30
suggest_difficulty = 2.5
extranonce_subscribe = false
user_agent = "cgminer/4.12"
proxy = "socks5h://me:hunter2proxy@127.0.0.1:9050"
tls_fingerprint = "{fingerprint}"
""".replace("{fingerprint}", "ab" * 32)


def settings(tmp_path: Path, text: str = "", environment: dict[str, str] | None = None, **given: Any) -> MineSettings:
    file = tmp_path / "miner.toml"
    file.write_text(text)
    return load(Sources(given, file, environment or {}))


def problems(tmp_path: Path, text: str = "", **given: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text, **given)
    return [str(problem).replace(f"{tmp_path}/miner.toml", "F") for problem in caught.value.problems]


# ---- pools ------------------------------------------------------------------------------------------------------


def test_pool_profiles(tmp_path: Path) -> None:
    away, home = settings(tmp_path, TWO_POOLS).pools
    assert (home.name, str(home.url), home.worker_name) == ("home", "stratum+tcp://home.example:3333", "everybody")
    assert (home.password, home.quota, home.version_mask) == ("hunter2home", 70, 0x1FFF0000)
    assert (home.suggest_difficulty, home.extranonce_subscribe, home.proxy) == ("auto", True, None)
    assert (away.name, away.url.tls, away.worker_name, away.password) == ("away", True, "traveller", "x")
    assert (away.suggest_difficulty, away.extranonce_subscribe) == (2.5, False)
    assert away.user_agent == "cgminer/4.12"
    assert away.version_mask == GENERAL_PURPOSE_MASK
    assert away.proxy == TunnelUrl("socks5h", "127.0.0.1", 9050, "me", "hunter2proxy")
    assert away.tls.fingerprint == "ab" * 32
    assert settings(tmp_path, TWO_POOLS).strategy is Strategy.QUOTA


def test_what_the_command_line_says_beats_a_profile_and_that_the_option_in_the_file(tmp_path: Path) -> None:
    away, home = settings(tmp_path, TWO_POOLS, {"STRATUM_MINER_USER": "env"}, suggest_difficulty="off").pools
    assert (home.worker_name, away.worker_name) == ("env", "env")
    assert (home.suggest_difficulty, away.suggest_difficulty) == (None, None)
    away, home = settings(tmp_path, TWO_POOLS, version_rolling=False, quota=[1, 2], strategy="failover").pools
    assert (home.version_mask, away.version_mask) == (0, 0)
    assert (away.quota, home.quota) == (1, 2)


def test_pools_of_the_command_line_replace_those_of_the_file(tmp_path: Path) -> None:
    [pool] = settings(tmp_path, TWO_POOLS, url=["other.example:1"]).pools
    assert (pool.url.host, pool.worker_name, pool.suggest_difficulty, pool.password) == (
        "other.example", "everybody", "auto", "x",
    )  # fmt: skip


def test_urls_users_and_passwords_by_place(tmp_path: Path) -> None:
    first, second = settings(tmp_path, "url = ['a:1', 'b:2']\nuser = ['u', 'v']\npass = ['one11', 'two22']").pools
    assert (first.url.host, first.worker_name, first.password) == ("a", "u", "one11")
    assert (second.url.host, second.worker_name, second.password) == ("b", "v", "two22")


def test_a_password_of_a_stronger_place_wins_over_a_file_of_a_weaker(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("fromfile\n")
    text = "url = 'a:1'\nuser = 'u'\npass_file = 'secret'\n"
    assert settings(tmp_path, text).pools[0].password == "fromfile"
    assert settings(tmp_path, text, password=["given"]).pools[0].password == "given"
    assert settings(tmp_path, text, {"STRATUM_MINER_PASS": "environ"}).pools[0].password == "environ"
    own = text.replace("url = 'a:1'\n", "") + "[pools.p]\nurl = 'a:1'\npass = 'own11'\n"
    assert settings(tmp_path, own).pools[0].password == "own11"
    assert settings(tmp_path, text, userpass=["v:both1"]).pools[0].worker_name == "v"
    assert problems(tmp_path, text + "pass = 'x'") == [
        "F:3: pass_file: expected a password or a password file, got both"
    ]


def test_worker_name_and_password_in_the_url(tmp_path: Path) -> None:
    def of(text: str = "", environment: dict[str, str] | None = None, **given: Any) -> list[tuple[str, str]]:
        pools = settings(tmp_path, text, environment, **given).pools
        return [(pool.worker_name, pool.password) for pool in pools]

    url = ["stratum+tcp://alice:in-url@h:1"]
    assert of(url=url) == [("alice", "in-url")]
    assert of("user = 'u'\npass = 'top11'", {"STRATUM_MINER_PASS": "environ"}, url=url) == [("alice", "in-url")]
    assert of(url=["alice@h:1"]) == [("alice", "x")]
    assert of(url=["alice@h:1"], password=["apart1"]) == [("alice", "apart1")]
    assert of(url=[":in-url@h:1"], user=["bob"]) == [("bob", "in-url")]
    assert of(url=["alice:in-url@h:1", "bob:in-too@h:2"]) == [("alice", "in-url"), ("bob", "in-too")]
    table = "user = 'u'\npass = 'top11'\n[pools.a]\nurl = ['alice:in-url@h:1', 'h:2']\n[pools.b]\nurl = 'b:1'"
    assert of(table) == [("alice", "in-url"), ("u", "top11")]
    assert of("url = 'alice:in-url@h:1'", user=["bob"], password=["given1"]) == [("bob", "given1")]
    assert of("url = 'alice:in-url@h:1'", userpass=["bob:given1"]) == [("bob", "given1")]


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("", {"url": ["alice:p@h:1"], "user": ["bob"]}, "--user: expected the worker name here or in the URL"),
        ("", {"url": ["alice:p@h:1"], "password": ["q"]}, "--pass: expected the password here or in the URL"),
        ("", {"url": ["alice:p@h:1"], "userpass": ["b:q"]}, "--userpass: expected the worker name here or in the URL"),
        ("[pools.a]\nurl = 'u:p@h:1'\nuser = 'v'", {}, "F:3: pools.a.user: expected the worker name here or in"),
        ("[pools.a]\nurl = ['u:p@h:1', 'v:p@h:2']", {}, "F:2: pools.a.url: expected the same worker name in all addr"),
        ('[pools.a]\nurl = "u\\u0007:p@h:1"', {}, "F:2: pools.a.url: expected a worker name of printable"),
    ],
)  # fmt: skip
def test_worker_names_and_passwords_given_twice(tmp_path: Path, text: str, given: dict[str, Any], said: str) -> None:
    [problem] = problems(tmp_path, text, **given)
    assert problem.startswith(said)


def test_how_long_and_how_often_pools_are_tried(tmp_path: Path) -> None:
    chosen = settings(tmp_path, "user = 'u'\nurl = ['a:1', 'b:1']\nfallback_time = '5m'\nretry_pause = 30").options
    assert (chosen.fallback_time, chosen.retry_pause, chosen.retries) == (300, 30, None)
    assert settings(tmp_path, "user = 'u'\nurl = 'a:1'\npool_redirect = false").pools[0].follow_redirects is False
    assert settings(tmp_path, "user = 'u'\nurl = ['a:1', 'b:1']\nretries = -1").options.retries == -1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url = 'a:1'\nfallback_time = '2d'", "F:3: fallback_time: expected a time from 0s to 1d, got 2d"),
        ("url = 'a:1'\nretry_pause = 0", "F:3: retry_pause: expected a time from 1s to 1h, got 0s"),
        ("url = ['a:1', 'b:1']\nretries = 3", "F:3: retries: expected one pool with a limit of attempts, got several"),
        ("url = 'a:1'\nretry = false\nretries = 3", "F:4: retries: expected this or --no-retry, got both"),
    ],
)
def test_mistakes_in_how_pools_are_tried(tmp_path: Path, text: str, said: str) -> None:
    [problem] = problems(tmp_path, f"user = 'u'\n{text}")
    assert problem.startswith(said)


def test_a_certificate_for_each_pool(tmp_path: Path) -> None:
    def of(environment: dict[str, str] | None = None, text: str = "user = 'u'", **given: Any) -> list[str | None]:
        return [pool.tls.fingerprint for pool in settings(tmp_path, text, environment, **given).pools]

    urls = ["ssl://a:1", "ssl://b:1"]
    first, second = "AB:" * 31 + "AB", "sha256 Fingerprint=" + "cd" * 32
    assert of(url=urls, tls_fingerprint=[first, second]) == ["ab" * 32, "cd" * 32]
    assert of(url=urls, tls_fingerprint=[first]) == ["ab" * 32] * 2
    assert of(url=urls, tls_fingerprint=["none", second]) == [None, "cd" * 32]
    assert of({"STRATUM_MINER_TLS_FINGERPRINT": second}, url=urls) == ["cd" * 32] * 2
    assert of(text=f"user = 'u'\nurl = {urls}\ntls_fingerprint = ['{first}', '{second}']") == ["ab" * 32, "cd" * 32]
    assert of(url=["b:1", "ssl://a:1"], tls_fingerprint=["none", first]) == [None, "ab" * 32]
    assert of(url=["b:1", "ssl://a:1"], tls_fingerprint=[first]) == ["ab" * 32] * 2
    assert problems(tmp_path, "user = 'u'", url=["b:1", "ssl://a:1"], tls_fingerprint=[first, second]) == [
        "--tls-fingerprint: expected a pool with TLS, stratum+ssl://HOST:PORT, got stratum+tcp"
    ]
    [said, *_] = problems(tmp_path, "user = 'u'", url=[*urls, "ssl://c:1"], tls_fingerprint=[first, second])
    assert said == "--tls-fingerprint: expected one value for all pools, or one for each of the 3 pools, got 2"
    with pytest.raises(ConfigError, match="STRATUM_MINER_TLS_FINGERPRINT: TLS fingerprint: expected SHA-256"):
        of({"STRATUM_MINER_TLS_FINGERPRINT": "ab cd"}, url=urls)


def test_the_pool_of_a_backend_keeps_the_login_in_its_url(tmp_path: Path) -> None:
    text = "[pools.own]\nurl = 'alice:in-url@own:1'\n[backends.cpu]\npool = 'own'\n"
    chosen = settings(tmp_path, text, url=["bob:other1@h:1"])
    assert [(pool.worker_name, pool.password) for pool in (*chosen.pools, chosen.bound["cpu"])] == [
        ("bob", "other1"),
        ("alice", "in-url"),
    ]
    assert str(chosen.bound["cpu"].url) == "stratum+tcp://own:1"


def test_show_hides_the_login_in_a_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.toml").write_text("[pools.a]\nurl = ['stratum+tcp://alice:hunter2@h:1', 'h:2']\n")
    code, out, err = run(capsys, "config", "show", "--config", str(tmp_path / "m.toml"), "-o", "bob:hunter3@h:3")
    assert code == 0
    assert 'url = ["***@h:3"]' in out
    code, out, err = run(capsys, "config", "show", "--config", str(tmp_path / "m.toml"))
    assert 'url = ["stratum+tcp://***@h:1", "h:2"]' in out
    assert "hunter" not in out + err


def test_a_file_with_a_login_in_a_url_is_private(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    for text, exposed in (("url = 'u:p@h:1'", True), ("[pools.a]\nurl = ['u:p@h:1']", True), ("url = 'h:1'", False)):
        file.write_text(text)
        file.chmod(0o644)
        assert Sources({}, file, {}).is_exposed is exposed


def test_a_pool_may_be_disabled_but_not_all(tmp_path: Path) -> None:
    text = TWO_POOLS + "enabled = false\n"
    assert [pool.enabled for pool in settings(tmp_path, text).pools] == [False, True]
    assert problems(tmp_path, "[pools.a]\nurl = 'a:1'\nuser = 'u'\nenabled = false") == [
        "F:1: pools.a: expected at least one enabled pool, got none; set enabled = true for one"
    ]


def test_a_pool_may_go_without_the_proxy_of_all(tmp_path: Path) -> None:
    text = "proxy = 'socks5://p:1'\nuser = 'u'\n[pools.a]\nurl = 'a:1'\n[pools.b]\nurl = 'b:1'\nproxy = 'direct'\n"
    first, second = settings(tmp_path, text).pools
    assert first.proxy == TunnelUrl("socks5", "p", 1)
    assert second.proxy is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "--url: expected a pool, as in -o HOST:PORT -u WORKER, or url or [pools.NAME] in F, got none; "
            "'stratum-miner demo' tries everything without a pool"),
        ("url = 'a'\nuser = 'u'", "F:1: url: pool URL: expected a port, as in stratum+tcp://a:3333, got none"),
        ("url = 'a:1'", "--user: expected a worker name, as in -u bcrt1q..., got none; some pools expect a payout "
            "address"),
        ("url = 'a:1'\n[pools.b]\nurl = 'b:1'\nuser = 'u'", "F:1: url: expected this key or tables [pools.NAME], got "
            "both"),
        ("[pools.b]\nurl = 'b:1'", "F:1: pools.b.user: expected a worker name"),
        ("[pools.b]\nuser = 'u'", "F:1: pools.b: expected url = \"stratum+tcp://HOST:PORT\", got no url"),
        ("[pools.b]\nuser = 'u'\nurl = 'stratum+tpc://b:1'", "F:3: pools.b.url: pool URL: expected stratum+tc"),
        ("[pools.b]\nurl = 'b:1'\nuesr = 'u'", "F:3: pools.b.uesr: unknown key: did you mean 'user'?"),
        ("[pools.b]\nxyzzy = 1", "F:2: pools.b.xyzzy: unknown key; known keys are enabled, extranonce_subscribe"),
        ("[pools.'']\nurl = 'b:1'", "F:1: pools.: expected a name of letters, digits, . _ -, got ''"),
        ("[pools]\nb = 1", "F:2: pools.b: expected a table, as in [pools.NAME]"),
        ("user = 'u'\n[pools.b]\nurl = 'b:1'\nquota = -1", "F:4: pools.b.quota: expected integers from 0"),
        ("user = 'u'\n[pools.b]\nurl = 'b:1'\nversion_mask = 'xyz'", "F:4: pools.b.version_mask: expected versi"),
        ("user = 'u'\nurl = 'b:1'\nsuggest_difficulty = -1", "F:3: suggest_difficulty: expected a number above"),
        ("user = 'u'\nurl = 'b:1'\nuser_agent = ''", "F:3: user_agent: expected 1 to 200 printable"),
        ("user = 'u'\n[pools.b]\nurl = 'b:1'\nproxy = 'http://u:hunter2@h'", "F:4: pools.b.proxy: proxy: expe"),
        ("user = 'u'\n[pools.b]\nurl = 'b:1'\ntls_fingerprint = 'ab'", "F:4: pools.b.tls_fingerprint: TLS fingerp"),
        (f"user='u'\nurl = 'a:1'\ntls_fingerprint = '{'a' * 64}'", "F:3: tls_fingerprint: expected a pool with TLS"),
        (
            f"user='u'\n[pools.a]\nurl='ssl://a:1'\n[pools.b]\nurl='b:1'\ntls_fingerprint='{'a' * 64}'",
            "F:6: pools.b.tls_fingerprint: expected a pool with TLS, stratum+ssl://HOST:PORT, got stratum+tcp",
        ),
        ("user = 'u'\n[pools.b]\nurl = 'b:1'\npass_file = 'no'", "F:4: pools.b.pass_file: cannot read"),
        ("user = ['u', 'v', 'w']\nurl = ['a:1', 'b:1']", "F:1: user: expected one value for all pools, or one for"),
        ("user = 'u'\nurl = ['a:1', 'b:1']\nquota = [1]", "F:3: quota: expected several pools and one quota for each"),
        ("user = 'u'\nurl = 'a:1'\ntime_limit = 0", "F:3: time_limit: expected a time above 0s and up to 100y, got 0s"),
        ("user = 'u'\nurl = 'a:1'\ntime_limit = nan", "F:3: time_limit: expected a time above 0s and up to 100y"),
        ("user = 'u'\nurl = 'a:1'\ntime_limit = -5", "F:3: time_limit: expected a time above 0s and up to 100y"),
        ("user = 'u'\nurl = 'a:1'\ntime_limit = '1h30'", "F:3: time_limit: expected a time such as 90s or 1h30m, got "
            "'1h30'"),
        ("user = 'u'\nurl = 'a:1'\ntime_limit = true", "F:3: time_limit: expected a time such as 90s or 1h30m, or a "
            "number of seconds, got true"),
        ("user = 'u'\nurl = 'a:1'\nuntil_shares = 0", "F:3: until_shares: expected a number above zero, got 0"),
        ("user = 'u'\nurl = 'a:1'\npower = '65W'", "F:3: power: needs --electricity"),
        ("user = 'u'\nurl = ['a:1', 'b:1']\nretry = false", "F:3: retry: expected one pool without retries, got "
            "several"),
        ("user = 'u'\n[pools.b]\nurl = 'b:1'\nquota = 0", "F:4: pools.b.quota: expected a quota above 0 for at least "
            "one pool"),
        ("userpass = 'nocolon'\nurl = 'a:1'", "F:1: userpass: expected USER:PASS"),
    ],
)  # fmt: skip
def test_mistakes_with_pools(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, text)
    assert found[0].startswith(said), found
    assert "hunter2" not in str(found)


# ---- backends ---------------------------------------------------------------------------------------------------

POOL = "url = 'a:1'\nuser = 'u'\n"


def test_several_backends(tmp_path: Path) -> None:
    plans = settings(
        tmp_path, POOL, backend=["cpu", "simulated", "simulated"], threads=3,
        backend_option=["simulated.hash_rate=1MH", "cpu.duty_cycle=50"],
    ).backends  # fmt: skip
    assert [(plan.name, plan.kind, dict(plan.options)) for plan in plans] == [
        ("cpu", "cpu", {"threads": "3", "duty_cycle": "50"}),
        ("simulated", "simulated", {"hash_rate": "1MH"}),
        ("simulated2", "simulated", {}),
    ]


def test_backend_profiles_and_what_beats_them(tmp_path: Path) -> None:
    text = POOL + "[backends.cpu]\nthreads = 2\n[backends.slow]\nbackend = 'simulated'\noptions = {hash_rate = 1000}\n"
    cpu, slow = settings(tmp_path, text).backends
    assert (cpu.kind, dict(cpu.options)) == ("cpu", {"threads": "2"})
    assert (slow.kind, dict(slow.options)) == ("simulated", {"hash_rate": "1000"})
    cpu, slow = settings(tmp_path, text, threads=1, backend_option=["slow.hash_rate=5"]).backends
    assert (dict(cpu.options), dict(slow.options)) == ({"threads": "1"}, {"hash_rate": "5"})
    [other] = settings(tmp_path, text, backend=["reference"]).backends
    assert other.kind == "reference"
    [cpu] = settings(tmp_path, text + "enabled = false").backends
    assert cpu.name == "cpu"


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("", {"backend": ["cpuu"]}, "--backend: backend: expected one of "),
        ("backend = ['cpu', 'simulatd']", {}, "F:3: backend: backend: expected one of "),
        ("[backends.cpuu]", {}, "F:3: backends.cpuu: backend: expected one of "),
        ("[backends.cpu]\nthreads = 0", {}, "F:3: backends.cpu: threads: expected an integer of at least 1"),
        ("threads = 9999", {}, "F:3: threads: expected at most "),
        ("", {"threads": 0}, "--threads: expected an integer of at least 1, got '0'"),
        ("", {"kernel": "nosuch"}, "--kernel: expected "),
        ("", {"backend_option": ["duty_cycle=hello"]}, "--backend-option: duty_cycle: expected "),
        ("[backends.cpu]\nthreads = 9999", {}, "F:3: backends.cpu: threads: expected at most "),
        ("[backends.cpu]\noptions = {threads = 9999}", {}, "F:3: backends.cpu: threads: expected at most "),
        ("[backends.cpu]\nthread = 1", {}, "F:4: backends.cpu.thread: unknown key: did you mean 'threads'?"),
        ("[backends.cpu]\noptions = {a = []}", {}, "F:4: backends.cpu.options: expected a string or a number"),
        ("backend = 'cpu'\n[backends.cpu]", {}, "F:3: backend: expected --backend or tables [backends.NAME], got both"),
        ("[backends.cpu]\nenabled = false", {}, "F:3: backends.cpu: expected at least one enabled backend"),
        ("", {"backend": ["cpu", "reference"], "backend_option": ["a=1"]}, "--backend-option: expected BACKEND.KEY="),
        ("", {"backend_option": ["a.b=1"]}, "--backend-option: expected a backend of cpu, got 'a'"),
        ("backend_option = 'nothing'", {}, "F:3: backend_option: expected KEY=VALUE, got 'nothing'"),
    ],
)
def test_mistakes_with_backends(tmp_path: Path, text: str, given: dict[str, Any], said: str) -> None:
    found = problems(tmp_path, POOL + text, **given)
    assert found[0].startswith(said), found


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        (
            "[backends.one]\nbackend = 'cpu'\nthreads = 9\n[backends.two]\nbackend = 'cpu'\nthreads = 8\n",
            {},
            "F:6: backends.two: threads: expected at most 16, 8 for each processor that this process may use (2), "
            "got 17: 9 of one and 8 of two",
        ),
        (
            "",
            {"backend": ["cpu", "cpu"], "threads": 9},
            "--threads: expected at most 16, 8 for each processor that this process may use (2), "
            "got 18: 9 of cpu and 9 of cpu2",
        ),
    ],
)
def test_threads_of_all_backends_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, given: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(processors, "usable", lambda: (0, 1))
    monkeypatch.setattr(processors, "quota", lambda *_: 65536)
    assert problems(tmp_path, POOL + text, **given) == [said]
    settings(tmp_path, POOL + text.replace("= 9", "= 7"), **{**given, **({"threads": 8} if given else {})})


ROUTED = """\
[pools.main]
url = ["a:1", "stratum+ssl://b:2"]
user = "me"
workers = [".first", "second"]

[pools.side]
url = "c:3"
user = "you"

[backends.cpu]
[backends.slow]
backend = "simulated"
[backends.third]
backend = "reference"
worker = ".third"
pool = "side"
"""


def test_workers_addresses_and_bindings(tmp_path: Path) -> None:
    told = settings(tmp_path, ROUTED)
    main, side = told.pools
    assert (str(main.url), [str(url) for url in main.addresses]) == ("stratum+tcp://a:1", ["stratum+ssl://b:2"])
    assert main.workers == (("cpu", "me.first"), ("slow", "second"))
    assert side.workers == ()
    assert told.bound == {"third": replace(side, workers=(("third", "you.third"),))}


def test_bindings_and_workers_of_the_command_line(tmp_path: Path) -> None:
    told = settings(tmp_path, ROUTED, bind=["cpu=2", "slow=a:1"], backend_worker=["cpu=.x", "third=main"])
    assert {name: pool.name for name, pool in told.bound.items()} == {"cpu": "side", "slow": "main", "third": "side"}
    assert told.bound["cpu"].workers == (("cpu", "you.x"), ("third", "main"))
    only = settings(tmp_path, ROUTED, url=["z:9"], user=["u"], bind=["cpu=z:9"])
    assert [str(pool.url) for pool in only.pools] == ["stratum+tcp://z:9"]
    assert {name: str(pool.url) for name, pool in only.bound.items()} == {
        "cpu": "stratum+tcp://z:9", "third": "stratum+tcp://c:3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bind": ["cpu"]}, "--bind: expected BACKEND=POOL, got 'cpu'"),
        ({"bind": ["cpuu=main"]}, "--bind: expected a backend of cpu, slow, third, got 'cpuu': did you mean 'cpu'?"),
        ({"bind": ["cpu=mian"]}, "--bind: expected a pool of main, side, got 'mian': did you mean 'main'?"),
        ({"backend_worker": ["slow"]}, "--backend-worker: expected BACKEND=WORKER, got 'slow'"),
    ],
)
def test_mistakes_with_bindings(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    assert problems(tmp_path, ROUTED, **given) == [said]


def test_mistakes_with_bindings_in_the_file(tmp_path: Path) -> None:
    assert problems(tmp_path, "[pools.a]\nurl = 'a:1'\nuser = 'u'\nworkers = ['v', 'w']") == [
        "F:4: pools.a.workers: expected at most 1, one for each backend, got 2"
    ]
    assert len(settings(tmp_path, ROUTED, backend=["reference"]).pools) == 2
    assert problems(tmp_path, ROUTED.replace('pool = "side"', 'pool = "sied"')) == [
        "F:16: backends.third.pool: expected a pool of main, side, got 'sied': did you mean 'side'?"
    ]
    assert problems(tmp_path, ROUTED.replace('user = "you"', 'user = "you"\nenabled = false')) == [
        "F:17: backends.third.pool: expected a pool that is enabled, got 'side', which is not"
    ]


# ---- which file -------------------------------------------------------------------------------------------------


def test_which_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    named, own = Path("named.toml"), tmp_path / "stratum-miner" / "config.toml"
    assert find_file(None, False, {}) is None
    own.parent.mkdir()
    own.touch()
    assert find_file(None, False, {}) == own
    assert find_file(None, True, {}) is None
    assert find_file(None, False, {"STRATUM_MINER_CONFIG": "env.toml"}) == Path("env.toml")
    assert find_file(named, False, {"STRATUM_MINER_CONFIG": "env.toml"}) == named


def test_mine_says_which_file_it_read_and_where_a_mistake_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "miner.toml"
    file.write_text("url = '127.0.0.1:1'\nuser = 'u'\nretry = false\nthreads = 1\nhttp = '1.2.3.4:1'\n")
    monkeypatch.setenv("STRATUM_MINER_THREDS", "1")
    code, _, err = run(capsys, "mine", "--config", str(file))
    assert code == 2
    first, second, last = err.splitlines()
    assert f"configuration      file={file}" in first
    assert "unknown variable: did you mean" in second
    assert last.startswith(
        f"stratum-miner: {file}:5: http: expected a loopback address, got 1.2.3.4. To let other computers reach the "
        "port, add --http-network"
    )


def test_every_mistake_is_told_on_its_own_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "miner.toml"
    file.write_text("thread = 1\ndebug = 3\n")
    for command in (["mine"], ["config", "check"], ["config", "show"]):
        code, out, err = run(capsys, *command, "--config", str(file))
        assert (code, out) == (2, "")
        assert err.splitlines() == [
            f"stratum-miner: {file}:1: thread: unknown key: did you mean 'threads'?",
            f"stratum-miner: {file}:2: debug: expected true or false, got 3",
        ]


# ---- the commands -----------------------------------------------------------------------------------------------


def test_show_tells_values_and_origins_but_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "miner.toml"
    file.write_text(TWO_POOLS + "[backends.cpu]\nthreads = 1\n")
    monkeypatch.setenv("STRATUM_MINER_UNTIL_SHARES", "5")
    code, out, err = run(capsys, "config", "show", "--config", str(file), "--time-limit", "60")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for line in (
        'user = ["everybody"]  # FILE:1',
        "until_shares = 5  # STRATUM_MINER_UNTIL_SHARES",
        "time_limit = 60.0  # command line",
        "debug = false  # default",
        "# journal is not set",
        "[pools.home]",
        'pass = "***"  # FILE:6',
        "quota = 70  # FILE:7",
        'proxy = "***"  # FILE:18',
        'suggest_difficulty = "auto"  # FILE:2',
        'suggest_difficulty = "2.5"  # FILE:15',
        "[backends.cpu]",
        "threads = 1  # FILE:21",
    ):
        assert line.replace("FILE", str(file)) in lines, line
    assert "hunter2" not in out
    assert tomllib.loads(out)["pools"]["home"]["quota"] == 70


def test_show_hides_what_the_command_line_and_the_environment_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATUM_MINER_PROXY", "socks5://u:hunter2env@h:1")
    _, out, _ = run(capsys, "config", "show", "-o", "a:1", "-O", "u:hunter2both")
    assert 'userpass = ["***"]  # command line' in out
    assert 'proxy = "***"  # STRATUM_MINER_PROXY' in out
    assert "hunter2" not in out
    assert secrets.redact("hunter2both hunter2env") == "*** ***"


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "miner.toml"
    file.write_text(TWO_POOLS)
    file.chmod(0o600)
    assert run(capsys, "config", "check", "--config", str(file)) == (
        0, f"{file}: good: 2 pools, 1 backend, quota\n", "",
    )  # fmt: skip
    file.chmod(0o644)
    assert "chmod 600" in run(capsys, "config", "check", "--config", str(file))[1]
    file.write_text("url = 'a:1'\nuser = 'u'\n")
    assert "chmod 600" not in run(capsys, "config", "check", "--config", str(file))[1]
    file.write_text(TWO_POOLS)
    monkeypatch.setenv("STRATUM_MINER_UNTIL_SHARE", "5")
    code, _, err = run(capsys, "config", "check", "--config", str(file))
    assert code == 2
    assert err == (
        "stratum-miner: STRATUM_MINER_UNTIL_SHARE: unknown variable: did you mean 'STRATUM_MINER_UNTIL_SHARES'?\n"
    )


def test_init_writes_a_private_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "miner.toml"
    assert run(capsys, "config", "init", str(file))[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run(capsys, "config", "check", "--config", str(file))[0] == 0
    file.write_text("mine")
    code, _, err = run(capsys, "config", "init", str(file))
    assert (code, err) == (2, f"stratum-miner: {file}: the file exists already; add --force to replace it\n")
    assert file.read_text() == "mine"
    assert run(capsys, "config", "init", "--force", str(file))[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == ["miner.toml"]


def test_init_into_a_place_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    code, _, err = run(capsys, "config", "init", str(tmp_path / "file" / "miner.toml"))
    assert code == 1
    assert "cannot write this file" in err


def test_what_init_writes_is_right_without_its_comment_signs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "miner.toml"
    run(capsys, "config", "init", str(file))
    written = file.read_text().splitlines()
    groups = [line for line in written if line.startswith("# ---- ")]
    assert len(groups) == len(set(groups)), "each group of options once"
    text = "\n".join(line.removeprefix("#") for line in written if not line.startswith(("# ", "#\n")) and line != "#")
    table = tomllib.loads(text)
    known = set(keys_of(MineOptions)) - {"url", "user", "pass", "userpass", "pass_file", "quota"}
    assert set(table) - {"pools", "backends"} == known
    assert set(table["pools"]["main"]) == set(keys_of(PoolProfile))
    assert set(table["backends"]["cpu"]) == set(keys_of(BackendProfile))
    assert not [said for said in problems(tmp_path, text) if "unknown" in said or "expected an integer" in said]


# ---- the documentation ------------------------------------------------------------------------------------------


def test_every_option_is_one_of_mine() -> None:
    """An option that is declared is a key, a variable and an option; nothing else is."""
    for key in keys_of(MineOptions).values():
        assert key.help, key.name
        assert key.flag == "--" + key.name.replace("_", "-")
        assert key.variable == "STRATUM_MINER_" + key.name.upper()


def test_mistakes_in_options_and_in_tables_are_told_together(tmp_path: Path) -> None:
    assert problems(tmp_path, "threads = 'x'\n[pools.a]\nqouta = 1\n[backends.cpu]\nthread = 1\n") == [
        "F:1: threads: expected an integer, got 'x'",
        "F:3: pools.a.qouta: unknown key: did you mean 'quota'?",
        "F:5: backends.cpu.thread: unknown key: did you mean 'threads'?",
    ]


def test_a_pool_twice_for_one_worker(tmp_path: Path) -> None:
    assert problems(tmp_path, "url = ['a:1', 'a:1']\nuser = 'u'") == [
        "F:1: url: expected each pool once for each worker name, got stratum+tcp://a:1 twice"
    ]
    assert len(settings(tmp_path, "url = ['a:1', 'a:1']\nuser = ['u', 'v']").pools) == 2


OLD = '{"pools": [{"url": "stratum+tcp://a:1", "user": "u", "pass": "hunter2old"}], "api-listen": true, "queue": "1"}'


def test_import_writes_what_mine_understands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "cgminer.conf", tmp_path / "miner.toml"
    old.write_text(OLD)
    code, out, err = run(capsys, "config", "import", str(old), str(new))
    assert (code, err) == (0, "")
    assert '    1  pools[0].url: "stratum+tcp://a:1"\n       -> url = "stratum+tcp://a:1"\n' in out
    assert '    1  queue: "1"\n       nothing to do: this key belongs to getwork' in out
    assert out.endswith(f"{old}: a configuration of cgminer with 1 pool; everything was carried over\nwrote {new}\n")
    assert "hunter2" not in out
    assert "to correct" not in out
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    [pool] = load(Sources({}, new, {})).pools
    assert (pool.name, pool.worker_name, pool.password) == ("pool1", "u", "hunter2old")
    assert run(capsys, "config", "import", str(old), str(new))[0] == 2
    assert run(capsys, "config", "import", str(old), str(new), "--force")[0] == 0


def test_import_shows_the_new_file_without_writing_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "cgminer.conf", tmp_path / "miner.toml"
    old.write_text(OLD)
    code, out, err = run(capsys, "config", "import", "--dry-run", str(old), str(new))
    assert (code, err) == (0, "")
    assert '\n[pools.pool1]\nurl = "stratum+tcp://a:1"\nuser = "u"\npass = "***"\n' in out
    assert out.endswith(f"nothing was written to {new}, because of --dry-run\n")
    assert "hunter2" not in out
    assert not new.exists()
    new.write_text("mine")
    assert run(capsys, "config", "import", "--dry-run", str(old), str(new))[0] == 0
    assert new.read_text() == "mine"


def test_import_says_in_its_exit_code_what_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "cgminer.conf", tmp_path / "miner.toml"
    old.write_text(OLD.replace('"queue"', '"rotate"'))
    code, out, _ = run(capsys, "config", "import", str(old), str(new))
    assert (code, new.exists()) == (1, True)
    assert "NOT CARRIED OVER: stratum-miner has only the strategies failover and quota" in out
    old.write_text('{"pools": [], "api-listen": true}')
    code, out, err = run(capsys, "config", "import", str(old), str(tmp_path / "other"))
    assert (code, out) == (2, "")
    assert err == f"stratum-miner: {old}: expected at least one pool that can be used, got none (cgminer)\n"
    assert not (tmp_path / "other").exists()


def test_import_keeps_files_beside_the_old_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old" / "bfgminer.conf", tmp_path / "miner.toml"
    old.parent.mkdir()
    old.write_text(OLD.replace('"queue": "1"', '"log-file": "miner.log"'))
    assert run(capsys, "config", "import", str(old), str(new))[0] == 0
    assert load(Sources({}, new, {})).options.log_file == old.parent / "miner.log"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"url":"a:3333","user":"x\\ud800y","algo":"sha256d"}', "NOT CARRIED OVER: expected only printable"),
        ('{"pools":[{"url":"a:1","user":"u","pass":"p\\udcff"}],"x\\ud800":1}', "NOT CARRIED OVER: expected valid"),
        ('{"url":"stratum+tcp://a:3333","user":"u","x\\ud800y":1}', "1  x\ufffdy: 1"),
        ('{"url":"a:1","user":"\\u001b[3m","no\\u001b[2J\\u202ekey":"\\u001b"}', "1  no\ufffd[2J\ufffdkey: ..."),
        ('{"url":"a:1","user":"u","cpu-affinity":' + "9" * 4200 + "}", "1  cpu-affinity: a number of many digits"),
        ('{"url":"a:1","user":"u","proxy":"socks5://\\u202e"}', "NOT CARRIED OVER: expected only printable"),
    ],
)  # fmt: skip
def test_import_is_not_impressed_by_what_json_can_spell(
    content: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.toml"
    old.write_text(content)
    code, out, err = run(capsys, "config", "import", str(old), str(new))
    assert (code, err) == (1, "")
    assert any(each.strip().startswith(line) for each in out.splitlines()), out
    assert all(each.isprintable() for each in out.split("\n"))
    assert new.read_text(encoding="utf-8").replace("\n", "").isprintable()


def test_import_tells_what_is_left_to_mend_and_what_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "cpuminer.json", tmp_path / "miner.toml"
    old.write_text('{"url": "stratum+tcp://a:1", "algo": "sha256d"}')
    code, out, _ = run(capsys, "config", "import", str(old), str(new))
    assert code == 1
    assert f"to correct: {new}:3: pools.pool1.user: expected a worker name" in out
    for path, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        code, out, err = run(capsys, "config", "import", str(path), str(tmp_path / "other"))
        assert (code, out, err) == (2, "", f"stratum-miner: {path}: cannot read this file: {reason}\n")
    assert not (tmp_path / "other").exists()


def test_defaults_are_of_the_declared_types_for_a_parser_that_checks_them(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pydantic", reason="the parser checks defaults where this is loaded")
    code, out, _ = run(capsys, "config", "show", "--no-config", "-o", "h:1", "-u", "w", "--no-retry")
    assert code == 0
    assert "retry = false  # command line" in out


@pytest.mark.parametrize("arguments", [["config", "check", "--config"], ["mine", "--config"], ["config", "import"]])
def test_a_pipe_with_a_name_is_refused_at_once(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "config.toml"
    os.mkfifo(pipe)
    code, out, err = run(capsys, *arguments, str(pipe))
    assert (code, out, err) == (2, "", f"stratum-miner: {pipe}: expected a file, got a pipe\n")
