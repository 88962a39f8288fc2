"""The columns that are published, with `only` and `except`."""

from itertools import compress

from recbms_zmq.sensors.normalize import Readings
from recbms_zmq.sensors.selection import Selection
from recbms_zmq.sensors.sensor import Sensor


class SelectedColumns:
    """Leaves columns out of the readings of one kind of frame."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._all: tuple[Sensor, ...] = ()
        self._sensors: tuple[Sensor, ...] = ()
        self._is_selected: list[bool] = []
        self._columns: dict[int, int] = {}  # of the selected sensors, by those of the readings

    def of(self, readings: Readings) -> Readings:
        """Return the readings without what is not selected.

        Its `sensors` are the same object as long as those of the readings are.
        """
        if readings.sensors is not self._all:
            self._all = readings.sensors
            self._is_selected = [self._selection.has(sensor.key) for sensor in self._all]
            self._sensors = tuple(compress(self._all, self._is_selected))
            selected = compress(range(len(self._all)), self._is_selected)
            self._columns = {column: number for number, column in enumerate(selected)}
        values = list(compress(readings.values, self._is_selected))
        columns, changed = self._columns, readings.changed
        if changed is not None:
            changed = [columns[column] for column in changed if column in columns]
        return Readings(self._sensors, values, readings.arrival, readings.alarms, changed)
