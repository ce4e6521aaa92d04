"""``stratum-miner service``: prints the systemd unit, the udev rule and the commands that make the miner a service.

It installs nothing itself.
"""

import grp
import shutil
import sys
import sysconfig
from importlib import resources
from pathlib import Path

import cyclopts

from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode
from stratum_miner.backends.asic import access

app = cyclopts.App(
    name="service", help="Print the systemd unit, the udev rule and the commands that make the miner a service."
)

UNIT_FILE = "stratum-miner.service"
UNIT_PATH = f"/etc/systemd/system/{UNIT_FILE}"
CONFIG = "/etc/stratum-miner/config.toml"
_HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")
"""Directories that the service cannot see, because of ProtectHome= and PrivateTmp= in the unit."""
_SERIAL_GROUPS = ("dialout", "uucp")
"""Groups that own serial ports: ``dialout`` on Debian, ``uucp`` on Arch. Only groups that exist are written into the
unit, because systemd does not start a service with an unknown group."""


@app.command
def unit() -> int:
    """Print the systemd unit for this installation."""
    program = executable()
    if str(program).startswith(_HIDDEN):
        sys.stderr.write(
            f"stratum-miner: the service cannot see {program}; install stratum-miner elsewhere, as in "
            "python3 -m venv /opt/stratum-miner\n"
        )
    sys.stdout.write(unit_text(program, groups()))
    return ExitCode.OK


@app.command
def udev_rule() -> int:
    """Print the udev rule that gives access to USB mining devices, as doctor --udev-rule does."""
    sys.stdout.write(access.udev_rule())
    return ExitCode.OK


@app.command
def steps() -> int:
    """Print the commands that install and start the service."""
    program = executable()
    sys.stdout.write(
        f"""\
sudo install -d /etc/stratum-miner
sudo {program} config init {CONFIG}          # then set url and user of your pool in it
sudo chmod 644 {CONFIG}                      # the service runs as a user of its own
sudo install -m 600 /dev/stdin /etc/stratum-miner/pool-password       # optional: type the password, then Ctrl-D
{program} service unit | sudo tee {UNIT_PATH}
{program} service udev-rule | sudo tee {access.RULE_DIRECTORIES[0]}/{access.RULE_FILE}     # for USB mining devices
sudo systemctl daemon-reload
sudo systemctl enable --now stratum-miner
systemctl status stratum-miner                                        # its status line shows the hash rate
journalctl -u stratum-miner -f
"""
    )
    return ExitCode.OK


def executable() -> Path:
    """Return the path of the program ``stratum-miner`` of this installation. Raises CommandFailed if there is none."""
    beside = Path(sysconfig.get_path("scripts")) / "stratum-miner"
    if beside.exists():
        return beside
    found = shutil.which("stratum-miner")
    if found is None:
        raise CommandFailed(
            "expected a program called stratum-miner in this installation, found none; pip install creates it"
        )
    return Path(found).absolute()


def groups() -> list[str]:
    """Return the groups of this computer that own serial ports."""
    names = {entry.gr_name for entry in grp.getgrall()}
    return [name for name in _SERIAL_GROUPS if name in names]


def unit_text(program: Path, serial_groups: list[str]) -> str:
    """Return the text of the unit for a program at an absolute path."""
    template = resources.files("stratum_miner.app.operation").joinpath(UNIT_FILE).read_text(encoding="utf-8")
    words = {
        "{executable}": _quoted(str(program)),
        "{config}": CONFIG,
        "{groups}": f"SupplementaryGroups={' '.join(serial_groups)}"
        if serial_groups
        else "# no group owns the serial ports",
    }
    for word, value in words.items():
        template = template.replace(word, value)
    return template


def _quoted(path: str) -> str:
    """Quote a path for ExecStart= of a unit, by the rules of systemd.service(5), section COMMAND LINES."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != path or " " in path else path
