"""``stratum-miner service``: what makes a miner a service of systemd. It prints; installing is the owner's to do."""

import grp
import shutil
import sys
import sysconfig
from importlib import resources
from pathlib import Path

import cyclopts

from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode
from stratum_miner.backends.asic import access

app = cyclopts.App(name="service", help="Print what makes a miner a service: systemd unit, udev rule, the steps.")

UNIT_FILE = "stratum-miner.service"
UNIT_PATH = f"/etc/systemd/system/{UNIT_FILE}"
CONFIG = "/etc/stratum-miner/config.toml"
_HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")
"""What the unit's ProtectHome= and PrivateTmp= keep from it."""
_SERIAL_GROUPS = ("dialout", "uucp")
"""Who owns serial ports on Debian and on Arch; a group that is not there would keep the service from starting."""


@app.command
def unit() -> int:
    """Print the unit, for this installation."""
    program = executable()
    if str(program).startswith(_HIDDEN):
        sys.stderr.write(
            f"stratum-miner: the service cannot see {program}: install it elsewhere, as in "
            "python3 -m venv /opt/stratum-miner\n"
        )
    sys.stdout.write(unit_text(program, groups()))
    return ExitCode.OK


@app.command
def udev_rule() -> int:
    """Print the udev rule, as doctor --udev-rule does."""
    sys.stdout.write(access.udev_rule())
    return ExitCode.OK


@app.command
def steps() -> int:
    """Print the commands that install and start it."""
    program = executable()
    sys.stdout.write(
        f"""\
sudo install -d /etc/stratum-miner
sudo {program} config init {CONFIG}          # then give it your pool and worker
sudo chmod 644 {CONFIG}                      # the service runs as nobody in particular
sudo install -m 600 /dev/stdin /etc/stratum-miner/pool-password       # type the password, then Ctrl-D; or leave it out
{program} service unit | sudo tee {UNIT_PATH}
{program} service udev-rule | sudo tee {access.RULE_DIRECTORIES[0]}/{access.RULE_FILE}     # for USB miners
sudo systemctl daemon-reload
sudo systemctl enable --now stratum-miner
systemctl status stratum-miner                                        # its status line tells the hash rate
journalctl -u stratum-miner -f
"""
    )
    return ExitCode.OK


def executable() -> Path:
    """The program of this installation. CommandFailed where it has none."""
    beside = Path(sysconfig.get_path("scripts")) / "stratum-miner"
    if beside.exists():
        return beside
    found = shutil.which("stratum-miner")
    if found is None:
        raise CommandFailed("this installation has no program called stratum-miner: pip install puts it into bin")
    return Path(found).absolute()


def groups() -> list[str]:
    """The groups of this machine that own serial ports."""
    names = {entry.gr_name for entry in grp.getgrall()}
    return [name for name in _SERIAL_GROUPS if name in names]


def unit_text(program: Path, serial_groups: list[str]) -> str:
    """The unit for a program at an absolute path."""
    template = resources.files("stratum_miner.app.operation").joinpath(UNIT_FILE).read_text(encoding="utf-8")
    words = {
        "{executable}": _quoted(str(program)),
        "{config}": CONFIG,
        "{groups}": f"SupplementaryGroups={' '.join(serial_groups)}" if serial_groups else "# no group owns the ports",
    }
    for word, value in words.items():
        template = template.replace(word, value)
    return template


def _quoted(path: str) -> str:
    """As ExecStart= reads it: systemd.service(5), COMMAND LINES."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != path or " " in path else path
