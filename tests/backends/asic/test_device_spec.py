"""What a user may write after --device, and what a typo gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.base import BackendOptionError


@pytest.mark.parametrize(
    ("text", "kind", "path", "options"),
    [
        ("auto", None, None, {}),
        ("compac:auto,frequency=200", "compac", None, {"frequency": "200"}),
        ("/dev/ttyUSB0", None, "/dev/ttyUSB0", {}),
        ("./stick", None, "./stick", {}),
        ("erupter:/tmp/x,nonce-difficulty=0.001", "erupter", "/tmp/x", {"nonce-difficulty": "0.001"}),
        ("bitaxe-gamma:b,frequency=400,voltage=1.1", "bitaxe-gamma", "b", {"frequency": "400", "voltage": "1.1"}),
        (
            "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0",
            None,
            "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0",
            {},
        ),
        ("compac:/dev/x:y", "compac", "/dev/x:y", {}),
    ],
)
def test_spelled_right(text: str, kind: str | None, path: str | None, options: dict[str, str]) -> None:
    spec = DeviceSpec.parse(text)
    assert (spec.text, spec.kind, spec.path, spec.options) == (text, kind, path, options)


@pytest.mark.parametrize(
    ("text", "kind", "pattern", "unrecognised"),
    [
        ("all", None, None, False),
        ("auto", None, None, False),
        ("icarus:all,hash-rate=380MH", "icarus", None, True),
        ("icarus:auto", "icarus", None, False),
        ("erupter:/dev/ttyUSB*", "erupter", "/dev/ttyUSB*", False),
        ("/dev/serial/by-id/usb-?-if00", None, "/dev/serial/by-id/usb-?-if00", False),
        ("compac:~/stick[12]", "compac", "~/stick[12]", False),
    ],
)
def test_several_devices_in_one_text(text: str, kind: str | None, pattern: str | None, unrecognised: bool) -> None:
    spec = DeviceSpec.parse(text)
    assert (spec.path, spec.kind, spec.pattern, spec.unrecognised) == (None, kind, pattern, unrecognised)
    spec.check_path()


def test_the_folder_of_a_pattern_must_exist() -> None:
    with pytest.raises(BackendOptionError, match="/nowhere is not a directory"):
        DeviceSpec.parse("erupter:/nowhere/ttyUSB*").check_path()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected auto, PATH or KIND:PATH"),
        ("atuo", "did you mean 'auto'"),
        ("erupter", "as in erupter:/dev/ttyUSB0 or erupter:auto"),
        ("ttyUSB0", "expected auto, PATH or KIND:PATH.*got 'ttyUSB0'"),
        ("eruptor:/dev/ttyUSB0", "did you mean 'erupter'"),
        ("bitaxe:/tmp/x", "did you mean 'bitaxe-"),
        ("compac-b1:/tmp/x", "did you mean 'compac-"),
        ("erupter:", "as in erupter:/dev/ttyUSB0"),
        (":/dev/ttyUSB0", "expected auto"),
        ("compac:/tmp/x,frequncy=150", "did you mean 'frequency'"),
        ("auto,frequncy=150", "did you mean 'frequency'"),
        ("auto,worker", "expected key=value"),
        ("auto,=1", "expected key=value"),
        ("compac:/tmp/x,frequency=", "expected key=value"),
        ("compac:/tmp/x,frequency=fast", "expected a number"),
        ("sticks/newpac", "a relative path must begin with ./, got 'sticks/newpac'"),
        ("auto,frequency=fast", "frequency: expected a number of MHz, got 'fast'"),
        ("compac:/tmp/x,frequency=100,frequency=120", "frequency: expected once, got '100' and '120'"),
        ("compac:/tmp/x,frequency=1000", "allow-out-of-limits"),
        ("erupter:/tmp/x,frequency=100", "expected none, because the frequency"),
        ("noauto", "got 'noauto'. Leave it out: only named devices are used"),
        ("1:4", "got '1:4', which is a device in the notation of cgminer"),
        ("BAS:2", "got 'BAS:2', which is a device in the notation of cgminer"),
        ("GSF:*", "in the notation of cgminer"),
        ("compac:/tmp/x,clock=200", "clock: unknown option: give frequency in MHz instead"),
        ("auto,core-voltage=1150", "core-voltage: unknown option: give voltage in V instead"),
    ],
)
def test_a_typo_is_one_line_with_the_nearest_spelling(text: str, words: str) -> None:
    with pytest.raises(BackendOptionError, match=words) as caught:
        DeviceSpec.parse(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_whatever_is_written_it_is_parsed_or_refused(text: str) -> None:
    try:
        spec = DeviceSpec.parse(text)
    except BackendOptionError:
        return
    assert spec.path is None or spec.path
