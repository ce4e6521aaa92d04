"""Recognition, on listings of the devices of docs/reference/asic.md#recognising-a-device, and how the system's records
become such listings."""

import fnmatch
import re
from dataclasses import replace
from pathlib import Path

import pytest

from stratum_miner.backends.asic import access, port_list
from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.discovery import BRIDGES, NOT_DRIVEN, FoundDevice, discover
from stratum_miner.backends.asic.port_list import ListedPort
from stratum_miner.emulators import KINDS

SILICON_LABS, GEKKO = "Silicon Labs", "GekkoScience"


def usb(path: str, vid_pid: str, product: str = "", manufacturer: str = "", **more: str) -> ListedPort:
    vid, pid = (int(part, 16) for part in vid_pid.split(":"))
    return ListedPort(path=f"/dev/{path}", vid=vid, pid=pid, product=product, manufacturer=manufacturer, **more)


COMPAC = usb("ttyUSB0", "10c4:ea60", "Compac BM1384 Bitcoin Miner", GEKKO, serial_number="10018221", location="1-1.2")
TWO_PAC = usb("ttyUSB1", "10c4:ea60", "2Pac BM1384 Bitcoin Miner", "bitshopperde", serial_number="55", location="1-1.3")
NEWPAC = usb("ttyUSB2", "0403:6015", "NewPac Bitcoin Miner", GEKKO, serial_number="DM00ABCD", location="1-1.4")
R606 = usb("ttyUSB3", "0403:6015", "R606 Bitcoin Miner", GEKKO, serial_number="DM00ABCE", location="2-1")
COMPAC_F = usb("ttyUSB4", "0403:6015", "CompacF Bitcoin Miner", GEKKO, serial_number="DM00ABCF", location="2-2")
ERUPTER = usb(
    "ttyUSB5", "10c4:ea60", "ASICMINER Block Erupter Emerald", SILICON_LABS, serial_number="0001", location="2-3"
)
ANTMINER = usb("ttyUSB6", "10c4:ea60", "Antminer U1", "Bitmain", serial_number="0001", location="2-4")
COMPAC_A1 = [
    usb(
        f"ttyUSB{7 + n}", "10c4:ea70", "GekkoScience Compac A1", SILICON_LABS, serial_number="A1", location=f"3-1:1.{n}"
    )
    for n in range(2)
]
BITAXE = [
    usb(f"ttyACM{9 + n}", "c0de:cafe", "Bitaxe", "OSMU", serial_number="2A60E1F0", location=f"3-2:1.{2 * n}")
    for n in range(2)
]
GPS = usb(
    "ttyUSB20", "10c4:ea60", "CP2102 USB to UART Bridge Controller", SILICON_LABS, serial_number="0001", location="4-1"
)
CABLE = usb("ttyUSB21", "067b:2303", "USB-Serial Controller", "Prolific", location="4-2")
FTDI_CABLE = usb("ttyUSB22", "0403:6001", "FT232R USB UART", "FTDI", serial_number="A50285BI", location="4-3")
MODEM = usb("ttyACM0", "12d1:1001", "HUAWEI Mobile", "HUAWEI", location="4-4:1.0")
BUILT_IN = ListedPort(path="/dev/ttyS0")


@pytest.mark.parametrize(
    ("ports", "kinds"),
    [
        ([COMPAC], ("compac",)),
        ([TWO_PAC], ("2pac",)),
        ([NEWPAC], ("newpac",)),
        ([R606], ("r606",)),
        ([COMPAC_F], ("compac-f",)),
        ([ERUPTER], ("erupter",)),
        ([ANTMINER], ("antminer-u1",)),
        (COMPAC_A1, ("compac-a1",)),
        (BITAXE, ("bitaxe-gamma", "bitaxe-supra", "bitaxe-ultra")),
    ],
)
def test_what_its_texts_say(ports: list[ListedPort], kinds: tuple[str, ...]) -> None:
    [device] = discover(ports)
    assert device.recognised
    assert device.kinds == kinds
    assert len(device.port_paths(device.boards[0])) == len(ports)


@pytest.mark.parametrize("port", [GPS, CABLE, FTDI_CABLE])
def test_a_bare_bridge_is_never_recognised_whatever_it_may_be(port: ListedPort) -> None:
    [device] = discover([port])
    assert not device.recognised
    assert device.bridge is not None


@pytest.mark.parametrize(
    ("vid_pid", "kinds"),
    [
        ("10c4:ea60", ("erupter", "antminer-u1", "compac", "2pac")),
        ("10c4:ea70", ("compac-a1",)),
        ("0403:6015", ("newpac", "r606", "compac-f")),
        ("0403:6001", ("icarus",)),
        ("0403:6014", ("icarus",)),
        ("0403:8350", ("icarus",)),
        ("067b:2303", ("icarus",)),
    ],
)
def test_a_bare_bridge_may_be_any_board_that_has_its_numbers(vid_pid: str, kinds: tuple[str, ...]) -> None:
    found = discover([usb("ttyUSB0", vid_pid)])[0].kinds
    assert found[: len(kinds)] == kinds
    assert set(found) == {kind for kind, board in BOARDS.items() if vid_pid in board.usb_ids}
    assert vid_pid in BRIDGES


@pytest.mark.parametrize("vid_pid", sorted(BRIDGES))
def test_numbers_without_texts_never_recognise(vid_pid: str) -> None:
    assert not discover([usb("ttyUSB0", vid_pid)])[0].recognised


def test_other_devices_are_no_miners() -> None:
    [modem] = discover([MODEM, BUILT_IN])
    assert modem.kinds == ()
    assert not modem.recognised


@pytest.mark.parametrize(
    ("product", "vid_pid", "name"),
    [
        ("Terminus BM1384 Bitcoin Miner", "10c4:ea60", "GekkoScience Terminus"),
        ("R909 Bitcoin Miner", "0403:6015", "GekkoScience R909"),
        ("GekkoScience Terminus A1", "10c4:ea70", "GekkoScience Terminus A1"),
        ("GekkoScience Compac A2", "10c4:ea70", "GekkoScience Compac A2"),
        ("BitaxeBonanza", "c0de:cafe", "Bitaxe Bonanza"),
        ("EmberOne00", "1209:256f", "emberOne/00"),
    ],
)
def test_miners_without_a_driver_are_known_and_left_alone(product: str, vid_pid: str, name: str) -> None:
    [device] = discover([usb("ttyUSB0", vid_pid, product, GEKKO)])
    assert (device.undriven, device.recognised, device.kinds) == (name, False, ())
    assert name in NOT_DRIVEN


def test_two_ports_are_paired_by_socket_and_distinguished_by_interface() -> None:
    second = [replace(port, path=port.path + "0", location=port.location.replace("3-2", "3-3")) for port in BITAXE]
    first, other = discover([second[1], BITAXE[1], BITAXE[0], second[0]])
    by_role = {device.path: device.port_paths(device.boards[0]) for device in (first, other)}
    assert by_role == {
        "/dev/ttyACM9": {"control": "/dev/ttyACM9", "data": "/dev/ttyACM10"},
        "/dev/ttyACM90": {"control": "/dev/ttyACM90", "data": "/dev/ttyACM100"},
    }


def test_a_port_that_is_still_missing_makes_it_wait_unless_it_is_optional() -> None:
    [bitaxe] = discover(BITAXE[:1])
    assert bitaxe.port_paths(bitaxe.boards[0]) == {}
    [stick] = discover(COMPAC_A1[:1])
    assert stick.port_paths(stick.boards[0]) == {"data": "/dev/ttyUSB7"}


def test_identity_is_the_serial_number_or_else_the_socket() -> None:
    def identity(*ports: ListedPort) -> str:
        return discover(ports)[0].identity

    assert identity(COMPAC) == "10c4:ea60#10018221"
    assert identity(replace(COMPAC, path="/dev/ttyUSB9", location="9-9")) == identity(COMPAC)
    assert identity(ERUPTER) == "10c4:ea60@2-3"
    assert identity(*BITAXE) == identity(*reversed(BITAXE))
    assert identity(*COMPAC_A1) == "10c4:ea70#A1"
    assert BUILT_IN.identity == ""


@pytest.mark.parametrize("number", ["", "0", "0001", "00000000", "123456789ABCDEF", "None", "default"])
def test_serial_numbers_that_number_nothing(number: str) -> None:
    assert replace(COMPAC, serial_number=number).identity == "10c4:ea60@1-1.2"


@pytest.mark.parametrize("number", ["2", "0002", "A1", "10018221", "2A60E1F0"])
def test_serial_numbers_that_do(number: str) -> None:
    assert replace(COMPAC, serial_number=number).identity.endswith(f"#{number}")


def test_texts_of_a_device_cannot_disturb_a_terminal() -> None:
    assert port_list._text("Bit\x1b[2Jaxe\n\u202e" + "x" * 200) == ("Bit�[2Jaxe��" + "x" * 200)[:126] + "…"
    assert port_list._text(" 0001\0\0") == "0001"
    assert port_list._text("") == ""


def plugged_in(root: Path, name: str, bus: str, where: str, **records: str) -> Path:
    """A port as Linux shows it: /dev, /sys/class/tty and the device with its records. Returns the USB device."""
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / name).touch()
    interface = root / "sys/devices/pci0000:00/usb1" / where
    device = interface / name if bus == "usb-serial" else interface
    device.mkdir(parents=True)
    (root / "sys/bus" / bus).mkdir(parents=True, exist_ok=True)
    (device / "subsystem").symlink_to(root / "sys/bus" / bus)
    terminal = root / "sys/class/tty" / name
    terminal.mkdir(parents=True)
    (terminal / "device").symlink_to(device)
    for record, text in records.items():
        (interface.parent / record).write_text(text + "\n")
    return interface.parent


def test_ports_are_read_from_the_records_of_the_system(tmp_path: Path) -> None:
    bridge = {"idVendor": "10c4", "idProduct": "ea60", "bNumInterfaces": " 1"}
    plugged_in(
        tmp_path, "ttyUSB10", "usb-serial", "1-2.3/1-2.3:1.0", **bridge, serial="0001", manufacturer="Silicon Labs"
    )
    plugged_in(tmp_path, "ttyUSB2", "usb-serial", "1-4/1-4:1.1", idVendor="0403", idProduct="6010", bNumInterfaces=" 2")
    plugged_in(tmp_path, "ttyACM0", "usb", "1-5/1-5:1.0", idVendor="0403", idProduct="6015", product="Bitaxe\x1b[2J")
    plugged_in(tmp_path, "ttyS0", "pnp", "00:05")
    plugged_in(tmp_path, "ttyS1", "platform", "serial8250")
    (tmp_path / "dev/tty1").touch()
    (tmp_path / "dev/rfcomm0").touch()
    assert port_list.list_ports(tmp_path) == (
        ListedPort(path="/dev/rfcomm0"),
        ListedPort(path="/dev/ttyACM0", vid=0x0403, pid=0x6015, product="Bitaxe\ufffd[2J", location="1-5"),
        ListedPort(path="/dev/ttyS0"),
        ListedPort(path="/dev/ttyUSB2", vid=0x0403, pid=0x6010, location="1-4:1.1"),
        ListedPort(
            path="/dev/ttyUSB10", vid=0x10C4, pid=0xEA60, serial_number="0001", manufacturer="Silicon Labs",
            location="1-2.3",
        ),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "x", None])
def test_a_device_that_vanishes_while_it_is_read_is_not_listed(tmp_path: Path, text: str | None) -> None:
    usb = plugged_in(tmp_path, "ttyUSB0", "usb-serial", "1-2/1-2:1.0", idVendor="0403", idProduct="6015")
    assert len(port_list.list_ports(tmp_path)) == 1
    (usb / "idProduct").unlink()
    if text is not None:
        (usb / "idProduct").write_text(text)
    assert port_list.list_ports(tmp_path) == ()


def test_a_system_that_cannot_be_read_differs_from_one_without_ports(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="dev"):
        port_list.list_ports(tmp_path)


def test_the_listing_of_this_machine_can_be_read() -> None:
    """A listing of another root than that of this machine raises OSError or differs."""
    listed = port_list.list_ports()
    assert listed == port_list.list_ports(Path("/"))
    assert all(Path(port.path).is_char_device() for port in listed)


# ---- the udev rule ------------------------------------------------------------------------------------------------


def granted(port: ListedPort) -> bool:
    """Return whether the rule file gives this port to the user, by evaluating its matches, jumps and labels."""
    attributes = {
        "idVendor": f"{port.vid:04x}",
        "idProduct": f"{port.pid:04x}",
        "manufacturer": port.manufacturer,
        "product": port.product,
    }
    tagged, goto = False, ""
    for line in access.udev_rule().splitlines():
        if not line or line.startswith("#"):
            continue
        pairs = re.findall(r'([A-Za-z_{}]+)(==|\+=|=)"([^"]*)"', line)
        assert re.sub(r'([A-Za-z_{}]+)(==|\+=|=)"([^"]*)"(, )?', "", line) == "", line
        if goto:
            goto = "" if ("LABEL", "=", goto) in pairs else goto
        if not goto and all(_holds(key, value, attributes) for key, operator, value in pairs if operator == "=="):
            tagged |= ("TAG", "+=", "uaccess") in pairs
            goto = next((value for key, operator, value in pairs if (key, operator) == ("GOTO", "=")), "")
    assert not goto, f"no label {goto}"
    return tagged


def _holds(key: str, pattern: str, attributes: dict[str, str]) -> bool:
    facts = {"ACTION": "add", "SUBSYSTEM": "tty", "DRIVER": ""}
    value = facts[key] if key in facts else attributes[key.removeprefix("ATTRS{").removesuffix("}")]
    return any(fnmatch.fnmatchcase(value, part) for part in pattern.split("|"))


@pytest.mark.parametrize(
    "port",
    [COMPAC, TWO_PAC, NEWPAC, R606, COMPAC_F, ERUPTER, ANTMINER, *COMPAC_A1, *BITAXE],
    ids=lambda port: port.path,
)
def test_the_udev_rule_grants_every_recognised_miner(port: ListedPort) -> None:
    assert granted(port)


@pytest.mark.parametrize("port", [GPS, CABLE, FTDI_CABLE, MODEM], ids=lambda port: port.path)
def test_the_udev_rule_grants_nothing_else(port: ListedPort) -> None:
    assert not granted(port)


def test_the_udev_rule_never_opens_a_port_to_everybody() -> None:
    modes = re.findall(r'^[^#]*MODE="(\d+)"', access.udev_rule(), re.MULTILINE)
    assert set(modes) == {"0660"}


EMULATED = [
    usb(f"emulated-{kind.name}", f"{kind.usb.vid:04x}:{kind.usb.pid:04x}", kind.usb.product, kind.usb.manufacturer)
    for kind in KINDS.values()
    if BOARDS[kind.name].usb
]
"""As the emulators' files have the texts, which were not written from the boards'."""


@pytest.mark.parametrize("port", EMULATED, ids=lambda port: port.path)
def test_every_emulated_product_that_can_be_recognised_is(port: ListedPort) -> None:
    [device] = discover([port])
    assert port.path.removeprefix("/dev/emulated-") in device.kinds
    assert device.recognised
    assert granted(port), f"70-stratum-miner.rules: expected a line for {port.path}"


def test_every_board_with_texts_has_a_sample() -> None:
    found: tuple[FoundDevice, ...] = discover(
        [COMPAC, TWO_PAC, NEWPAC, R606, COMPAC_F, ERUPTER, ANTMINER, *COMPAC_A1, *BITAXE, *EMULATED]
    )
    seen = {kind for device in found for kind in device.kinds}
    assert seen == {board.kind for board in BOARDS.values() if board.usb}
