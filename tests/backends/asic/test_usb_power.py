"""Signs of a weak supply: in lines of the kernel's log as Linux writes them, and in a sysfs of our own."""

from pathlib import Path

from stratum_miner.backends.asic.usb_power import (
    bus_powered_hubs,
    devices_without_a_port,
    kernel_log,
    signs_in_log,
)

LOG = """\
6,1201,7654321,-;usb 1-1.2: new full-speed USB device number 7 using xhci_hcd
3,1202,7654322,-;usb 1-1-port3: over-current condition
3,1203,7654323,-;usb 1-1.2: device descriptor read/64, error -71
3,1204,7654324,-;usb 1-1.2: device descriptor read/64, error -71
3,1205,7654325,-;usb 1-1.2: device not accepting address 8, error -71
6,1206,7654326,-;usb 2-1: USB disconnect, device number 3
6,1207,7654327,-;usb 2-1: USB disconnect, device number 4
6,1208,7654328,-;usb 2-1: USB disconnect, device number 5
6,1209,7654329,-;usb 2-2: USB disconnect, device number 6
3,1210,7654330,-;usb 1-1-port4: disabled by hub (EMI?), re-enabling...
3,1211,7654331,-;usb 1-1.3: rejected 1 configuration due to insufficient available bus power
 SUBSYSTEM=usb
""".splitlines()


def test_what_the_kernel_noted() -> None:
    found = {(sign.socket, sign.text.partition(":")[0], sign.count) for sign in signs_in_log(LOG)}
    assert found == {
        ("1-1.2", "the device does not answer the hub", 3),
        ("1-1", "over-current", 1),
        ("1-1", "the hub switched the device off, as after a voltage drop", 1),
        ("1-1.3", "the computer rejected the device", 1),
        ("2-1", "the device disconnected again and again", 3),
    }


def test_a_quiet_log_shows_nothing() -> None:
    assert signs_in_log(LOG[:1]) == ()
    assert signs_in_log([]) == ()


def test_a_log_that_the_user_may_not_read(tmp_path: Path) -> None:
    assert kernel_log(str(tmp_path / "missing")) is None
    (tmp_path / "kmsg").write_text("\n".join(LOG))
    assert kernel_log(str(tmp_path / "kmsg")) == LOG


def device(sysfs: Path, socket: str, attributes: str = "80", usb_id: str = "10c4:ea60") -> Path:
    directory = sysfs / socket
    directory.mkdir()
    (directory / "bmAttributes").write_text(attributes + "\n")
    vid, _, pid = usb_id.partition(":")
    (directory / "idVendor").write_text(vid + "\n")
    (directory / "idProduct").write_text(pid + "\n")
    return directory


def test_hubs_that_live_off_the_bus(tmp_path: Path) -> None:
    device(tmp_path, "1-1", "e0", "05e3:0608")
    device(tmp_path, "1-1.4", "a0", "05e3:0608")
    device(tmp_path, "1-1.4.2")
    assert bus_powered_hubs("1-1.4.2", tmp_path) == ("1-1.4",)
    assert bus_powered_hubs("1-1", tmp_path) == ()
    assert bus_powered_hubs("9-9.9", tmp_path) == ()


def test_a_device_without_a_driver(tmp_path: Path) -> None:
    device(tmp_path, "1-1")
    (device(tmp_path, "1-2") / "1-2:1.0" / "ttyUSB0").mkdir(parents=True)
    (device(tmp_path, "1-3", usb_id="c0de:cafe") / "1-3:1.0" / "tty" / "ttyACM0").mkdir(parents=True)
    device(tmp_path, "1-4", usb_id="046d:c077")
    (tmp_path / "usb1").mkdir()
    assert devices_without_a_port(["10c4:ea60", "c0de:cafe"], tmp_path) == (("1-1", "10c4:ea60"),)
    assert devices_without_a_port(["10c4:ea60"], tmp_path / "missing") == ()
