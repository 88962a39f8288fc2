"""From frames to readings: runs the sensor table over a frame.

A `Normalizer` keeps what it knows of one BMS from frame to frame: capacity and model, which only
settings frames have, the scale of the state of charge, the remarks, and the columns, which stay the
same object as long as the pack has the same units and cells. `reporting` decides which readings are
published.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from recbms_zmq.sensors.admission import UnitAdmission
from recbms_zmq.sensors.alarm_tracker import (
    NO_TRANSITIONS,
    Alarm,
    AlarmTracker,
    AlarmTransition,
    LastAlarm,
)
from recbms_zmq.sensors.columns import Columns
from recbms_zmq.sensors.device_info import DeviceInfo, UnitInfo
from recbms_zmq.sensors.display_text import plain_text
from recbms_zmq.sensors.energy import NOT_KNOWN, Counters
from recbms_zmq.sensors.link import Link
from recbms_zmq.sensors.pack import (
    CAPACITY_DECIMALS,
    NOTHING_KNOWN,
    Pack,
    require_data,
)
from recbms_zmq.sensors.remarks import ADDRESSES_CHANGE, IN_PERCENT, Remarks
from recbms_zmq.sensors.remarks import find as find_remarks
from recbms_zmq.sensors.rounding import shown
from recbms_zmq.sensors.scale import ScaleDetector
from recbms_zmq.sensors.sensor import UNKNOWN, Sensor, Unknown, Value
from recbms_zmq.sensors.settings_table import settings_sensors
from recbms_zmq.sensors.status_columns import StatusColumns
from recbms_zmq.sensors.unit_census import UnitCensus
from recbms_zmq.sensors.units import Unit, UnitReader
from recbms_zmq.wire.chemistry import chemistry, model, nominal_cell_voltage
from recbms_zmq.wire.frames import Master, Settings, Status


class Readings(Struct):
    """The readings of one frame, as columns and a row.

    Attributes:
        sensors: the columns; the same object as before unless the pack's shape has changed.
        values: one value a column; None where the frame has no reading for it.
        arrival: when the frame came, ISO 8601.
        alarms: those that were raised or cleared since the frame before.
        changed: columns of the values that may differ from those before, in no order; None: all.

    """

    sensors: tuple[Sensor, ...]
    values: list[Value | None]
    arrival: str
    alarms: tuple[AlarmTransition, ...] = NO_TRANSITIONS
    changed: Sequence[int] | None = None

    def items(self) -> Iterator[tuple[Sensor, float | int | bool | str | None]]:
        """Yield every sensor that has a reading, with its value; None for unknown."""
        for sensor, value in zip(self.sensors, self.values, strict=True):
            if value is not None:
                yield sensor, None if isinstance(value, Unknown) else value


class Normalizer:
    """Makes readings of the frames of one BMS.

    Args:
        idle_current: A, up to which the pack is idle.
        include_serial: whether the serial number, which is a password, is in `description`.

    """

    def __init__(self, *, idle_current: float = 0.1, include_serial: bool = False) -> None:
        self._idle_current = idle_current
        self._include_serial = include_serial
        self._scale = ScaleDetector()
        self._admission = UnitAdmission()
        self._remarks = Remarks()
        self._known = NOTHING_KNOWN
        self._alarms = AlarmTracker()
        self._units = UnitReader()
        self._census = UnitCensus()
        self._shape: list[tuple[int, ...]] = []
        self._status = StatusColumns((), has_link=False)
        self._settings = Columns(())
        self.description = DeviceInfo(units=())
        """What is known of the pack so far; the same object until it changes."""

    @property
    def remarks_now(self) -> tuple[str, ...]:
        """Remarks on the last status frame alone; those in `description` have hysteresis."""
        return self._remarks.now

    def on_connected(self) -> None:
        """Take note that the next frames come over a new connection."""
        self._scale.on_connected()

    def status(
        self,
        frame: Status,
        arrival: str = "",
        link: Link | None = None,
        energy: Counters = NOT_KNOWN,
    ) -> Readings:
        """Read a status frame.

        Args:
            frame: as decoded.
            arrival: when it came, ISO 8601.
            link: what is known of the connection; without it there are no sensors of it.
            energy: the counters up to this frame; unknown ones give no reading.

        Raises:
            NoBatteryData: the frame has no data of a battery.

        """
        array = require_data(frame)
        master = array.master or Master()
        self._scale.update(master)
        units = self._units.read(array.slaves)
        count = self._census.update(master.unit_count, len(units.units) + units.left_out)
        if count is not self._known.units:
            self._known = self._known._replace(units=count)
        pack = Pack.of(
            master,
            units,
            arrival,
            soc=self._scale.percent(master.state_of_charge),
            soh=self._scale.percent(master.state_of_health),
            idle_current=self._idle_current,
            known=self._known,
            energy=energy,
        )
        alarms = self._alarms.update(pack.alarm, arrival)
        if alarms:
            # The frame that raises an alarm has to show it as the last one, in the same batch.
            self._known = self._known._replace(last_alarm=self._alarms.last)
            pack = msgspec.structs.replace(pack, known=self._known)
        admitted = self._admission.admitted(pack.units)
        self._update_remarks(pack, are_all_admitted=len(admitted) == len(pack.units))
        shape = [(0 if link is None else 1,), *map(_shape_of, admitted)]
        if shape != self._shape:
            self._shape = shape
            self._status = StatusColumns(admitted, has_link=link is not None)
            self._describe(units=tuple(map(_unit_info, admitted)))
        values, changed = self._status.update(pack, admitted, link)
        return Readings(self._status.sensors, values, arrival, alarms, changed)

    def settings(self, frame: Settings, arrival: str = "") -> Readings:
        """Read a settings frame that came at `arrival` (ISO 8601)."""
        self._known = self._known._replace(
            capacity=shown(frame.capacity, CAPACITY_DECIMALS),
            nominal_cell_voltage=_nominal_cell_voltage(frame),
            cycles=frame.cycles,
        )
        # The only text that is not redacted: without --include-serial it goes nowhere.
        serial = plain_text(frame.serial[:32], hide_serial=False) if frame.serial else ""
        self._describe(
            model=model(frame),
            chemistry=chemistry(frame),
            capacity=frame.capacity,
            serial=serial if self._include_serial and serial else None,
        )
        sensors = settings_sensors(frame)
        if sensors is not self._settings.sensors:
            self._settings = Columns(sensors)
        values = self._settings.rounded([sensor.value(frame) for sensor in sensors])
        return Readings(sensors, values, arrival)

    def resume_alarms(self, last: LastAlarm, active: Alarm | None) -> None:
        """Take over the last alarm of an earlier run; see `AlarmTracker.resume`."""
        self._alarms.resume(last, active)
        self._known = self._known._replace(last_alarm=self._alarms.last)

    def _update_remarks(self, pack: Pack, *, are_all_admitted: bool) -> None:
        found = list(find_remarks(pack))
        if self._scale.scale == "percent":
            found.append(IN_PERCENT)
        if not are_all_admitted:
            found.append(ADDRESSES_CHANGE)
        self._remarks.update(found)
        if self._remarks.active is not self.description.remarks:
            self._describe(remarks=self._remarks.active)

    def _describe(self, **changes: Any) -> None:
        self.description = msgspec.structs.replace(self.description, **changes)


def _nominal_cell_voltage(settings: Settings) -> float | Unknown | None:
    if settings.chemistry_code is None:
        return None
    return nominal_cell_voltage(settings) or UNKNOWN


def _shape_of(unit: Unit) -> tuple[int, ...]:
    return (
        unit.address,
        len(unit.temperatures),
        len(unit.cell_voltages),
        len(unit.cell_resistances),
        len(unit.cell_balancing),
    )


def _unit_info(unit: Unit) -> UnitInfo:
    return UnitInfo(unit.address, len(unit.cell_voltages), len(unit.temperatures))
