"""Power, reset, fan and sensors of a Bitaxe with the bitaxe-raw firmware
(docs/reference/asic.md#power-on-and-power-off).

There are two generations of Bitaxe boards. On a newer board, a TPS546 regulator supplies the core voltage; it can
measure this voltage and switch it off. On an older board, a DS4432U sets the core voltage, which cannot be switched
off, and an INA260 measures the input voltage and current. To find out the generation, the driver asks for the id of a
TPS546.
"""

import trio

from stratum_miner.backends.asic.bitaxe_raw import RESET_PIN, BitaxeControl
from stratum_miner.backends.asic.errors import PowerFault
from stratum_miner.backends.asic.peripherals.ds4432u import Ds4432u
from stratum_miner.backends.asic.peripherals.emc2101 import Diode, Emc2101
from stratum_miner.backends.asic.peripherals.ina260 import Ina260
from stratum_miner.backends.asic.peripherals.tps546 import Tps546
from stratum_miner.backends.asic.power import run_all
from stratum_miner.backends.asic.readings import Readings
from stratum_miner.backends.asic.transport import Transport

I2C_HERTZ = 100_000
INTERNAL_OFFSET_C = 5.0
"""Difference in °C between the chip and the fan controller beside it. An older board cannot measure the temperature of
the chip, so this difference is added to that of the fan controller. ESP-Miner uses the same value (source esp/CFG in
docs/reference/asic.md)."""
VOLTAGE_TOLERANCE = 0.10
"""Largest allowed difference of the core voltage from the requested voltage after power-on, as a fraction of the
requested voltage."""
IDLE_FAN_PERCENT = 25


class BitaxePower:
    """Implements ``PowerControl`` for a Bitaxe."""

    has_sensors = True
    minimum_input_voltage: float | None = 4.6
    """Input voltage in volts below which the power supply is too weak. The regulator starts at 4.8 V and switches off
    at 4.5 V; this value is between them."""

    def __init__(self, transport: Transport, diode: Diode | None = None) -> None:
        self._path = transport.path
        self._diode = diode
        self._control = BitaxeControl(transport)
        self._fan = Emc2101(self._control)
        self._tps = Tps546(self._control)
        self._ds = Ds4432u(self._control)
        self._ina = Ina260(self._control)
        self._has_tps: bool | None = None
        self._released = False

    async def on(self, voltage: float | None) -> None:
        """See ``PowerControl.on``. The steps are in the order of docs/reference/asic.md#power-on-and-power-off."""
        assert voltage is not None
        await self._control.set_pin(RESET_PIN, False)
        await self._control.i2c_speed(I2C_HERTZ)
        await self._fan.configure(self._diode)
        await trio.sleep(0.01)
        await self._fan.set_fan(100)
        self._has_tps = await self._tps.is_there()
        if self._has_tps:
            await self._tps.configure()
            await trio.sleep(0.1)
            await self._tps.switch_on(voltage)
            await trio.sleep(0.5)
            await self._check_output(voltage)
        else:
            await self._ds.set_voltage(voltage)
        await trio.sleep(0.5)
        await self._control.set_pin(RESET_PIN, True)
        self._released = True
        await trio.sleep(0.2)

    async def off(self) -> None:
        """See ``PowerControl.off``. If a step fails, the later steps are still tried."""
        self._released = False
        await run_all(self._hold_reset, self._cut_voltage, self._quieten_fan)

    async def read(self) -> Readings:
        """See ``PowerControl.read``. After the chip was released from reset, this method also raises PowerFault if the
        regulator reports a fault or the board has restarted by itself."""
        if self._released and not await self._control.get_pin(RESET_PIN):
            raise PowerFault(f"{self._path}: the board has restarted by itself: check its power supply")
        rpm, percent = await self._fan.fan_rpm(), await self._fan.fan_percent()
        if not self._has_tps:
            internal = await self._fan.internal_temperature()
            return Readings(
                chip_temperature=internal + INTERNAL_OFFSET_C,
                input_voltage=await self._ina.voltage(),
                current=await self._ina.current(),
                power=await self._ina.power(),
                fan_rpm=rpm,
                fan_percent=percent,
            )
        if self._released:
            await self._tps.check()
        voltage, current = await self._tps.output_voltage(), await self._tps.current()
        return Readings(
            chip_temperature=await self._fan.external_temperature(),
            regulator_temperature=await self._tps.temperature(),
            core_voltage=voltage,
            input_voltage=await self._tps.input_voltage(),
            current=current,
            power=voltage * current,
            fan_rpm=rpm,
            fan_percent=percent,
        )

    async def set_fan(self, percent: int) -> None:
        """See ``PowerControl.set_fan``."""
        await self._fan.set_fan(percent)

    async def identify(self) -> str:
        """Make the lamp flash in magenta."""
        for _ in range(5):
            await self._control.set_lamp(255, 0, 255)
            await trio.sleep(0.3)
            await self._control.set_lamp(0, 0, 0)
            await trio.sleep(0.3)
        return "its lamp flashes magenta"

    async def _hold_reset(self) -> None:
        await self._control.set_pin(RESET_PIN, False)

    async def _cut_voltage(self) -> None:
        if self._has_tps is None:
            self._has_tps = await self._tps.is_there()
        if self._has_tps:
            await self._tps.switch_off()

    async def _quieten_fan(self) -> None:
        await self._fan.set_fan(IDLE_FAN_PERCENT)

    async def _check_output(self, requested: float) -> None:
        await self._tps.check()
        measured = await self._tps.output_voltage()
        if abs(measured - requested) > VOLTAGE_TOLERANCE * requested:
            raise PowerFault(f"{self._path}: core voltage: expected {requested:.3f} V, got {measured:.3f} V")
