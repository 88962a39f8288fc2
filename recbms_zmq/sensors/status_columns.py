"""The readings of status frames as columns: computes again only what depends on a change.

At one frame a second most values of a pack are those of the frame before. A row of the sensor table
names the attributes that it reads (`Sensor.reads`). Those are compared with the ones of the frame
before, and only the rows that read a changed one are computed, rounded and compared.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from operator import attrgetter, ne
from typing import Any, Final

from recbms_zmq.sensors.columns import NO_VALUE, shared_columns
from recbms_zmq.sensors.link import Link
from recbms_zmq.sensors.pack import Pack
from recbms_zmq.sensors.rounding import shown
from recbms_zmq.sensors.sensor import Sensor, Value
from recbms_zmq.sensors.table import CELLS_SENSORS, LINK_SENSORS, PACK_SENSORS, UNIT_SENSORS
from recbms_zmq.sensors.units import Unit

_Raw = tuple[int, Any]
"""A column, and its value before rounding."""


class _Rows:
    """Rows that are read from one object, and the attributes that they read."""

    def __init__(self, rows: Sequence[Sensor]) -> None:
        names = sorted({name for row in rows for name in row.reads})
        self.read: Final = attrgetter(*names)
        self.nothing_read: Final[Any] = (NO_VALUE,) * len(names)
        self._formulas = [(number, row.value) for number, row in enumerate(rows)]
        self._readers = [{n for n, row in enumerate(rows) if name in row.reads} for name in names]
        # Frames change the same attributes again and again: 99 % of them are found here.
        self._that_read = lru_cache(maxsize=256)(self._find)

    def compute(self, source: Any, now: Any, before: Any, first: int) -> list[_Raw]:
        """Compute the rows that read what differs between `now` and `before`.

        Args:
            source: what the rows are read from.
            now: what `read` returns for it.
            before: what it returned for the frame before.
            first: column of the first row.

        """
        rows = self._that_read(tuple(map(ne, now, before)))
        return [(first + row, formula(source)) for row, formula in rows]

    def _find(self, is_changed: tuple[bool, ...]) -> "list[tuple[int, Callable[[Any], Any]]]":
        """Return the rows that read one of the changed attributes, and their formulas."""
        return [
            self._formulas[n] for n in sorted(set().union(*compress(self._readers, is_changed)))
        ]


_PACK: Final = _Rows(PACK_SENSORS)
_LINK: Final = _Rows(LINK_SENSORS)
# A row of a unit reads one attribute: a value, or a list with an item for each column.
_read_unit: Final = attrgetter(*(row.reads[0] for row in UNIT_SENSORS))
_UNIT_ROWS: Final = range(len(UNIT_SENSORS))
_CELL_VOLTAGES: Final = [row.key for row in UNIT_SENSORS].index("cell_voltage/{unit}/{number}")
_FIRST_OF_CELLS: Final = len(PACK_SENSORS)
_FIRST_OF_UNITS: Final = _FIRST_OF_CELLS + len(CELLS_SENSORS)


class _UnitColumns:
    """The columns of one unit: for each row of `UNIT_SENSORS` a range of them."""

    __slots__ = ("_before", "runs")

    def __init__(self, unit: Unit, first: int) -> None:
        self.runs: list[range] = []
        self._before: Any = []
        for row, found in zip(UNIT_SENSORS, _read_unit(unit), strict=True):
            count = 1 if row.group == "unit" else len(found)
            self.runs.append(range(first, first + count))
            self._before.append(NO_VALUE if row.group == "unit" else [NO_VALUE] * count)
            first += count

    def compute(self, unit: Unit) -> list[_Raw]:
        """Compute the values that may have changed since the frame before."""
        now, before = _read_unit(unit), self._before
        self._before = now
        raw: list[_Raw] = []
        for number in compress(_UNIT_ROWS, map(ne, now, before)):
            row, run = UNIT_SENSORS[number], self.runs[number]
            found: Any = row.value(unit)
            if row.group == "unit":
                raw.append((run.start, found))
            else:
                is_changed = map(ne, now[number], before[number])
                raw += compress(enumerate(found, run.start), is_changed)
        return raw


class StatusColumns:
    """The columns of a pack of one shape, with their values in the last frame.

    Args:
        units: with as many cells and sensors as there are columns.
        has_link: whether there are columns of the connection.

    """

    def __init__(self, units: Sequence[Unit], *, has_link: bool) -> None:
        self._pack = _PACK.nothing_read
        self._link = _LINK.nothing_read
        self._units: list[_UnitColumns] = []
        end = _FIRST_OF_UNITS
        for unit in units:
            self._units.append(_UnitColumns(unit, end))
            end = self._units[-1].runs[-1].stop
        self._first_of_link = end
        self.sensors, self._decimals = shared_columns(
            (
                *PACK_SENSORS,
                *CELLS_SENSORS,
                *(sensor for unit in units for sensor in _sensors_of(unit)),
                *(LINK_SENSORS if has_link else ()),
            )
        )
        self._voltages: list[Any] = []
        self._values: list[Value | None] = [None] * len(self.sensors)

    def update(
        self, pack: Pack, units: Sequence[Unit], link: Link | None
    ) -> tuple[list[Value | None], list[int]]:
        """Take a frame; return the values, and the columns of those that have changed."""
        # A copy: the caller keeps the values of the frame before, to compare.
        self._values = self._values.copy()
        before, self._pack = self._pack, _PACK.read(pack)
        computed = _PACK.compute(pack, self._pack, before, 0)
        for columns, unit in zip(self._units, units, strict=True):
            computed += columns.compute(unit)
        if link is not None:
            before, self._link = self._link, _LINK.read(link)
            computed += _LINK.compute(link, self._link, before, self._first_of_link)
        changed = self._put(computed)
        # A unit that was left out or not admitted has cells, too.
        has_all = pack.has_all_voltages and len(units) == len(pack.units)
        changed += self._put_cells(has_all=has_all)
        return self._values, changed

    def _put_cells(self, *, has_all: bool) -> list[int]:
        """Compute what is made of the published voltages of all cells, if one has changed."""
        voltages: list[Any] = []
        for columns in self._units if has_all else ():
            run = columns.runs[_CELL_VOLTAGES]
            voltages += self._values[run.start : run.stop]
        if voltages == self._voltages:
            return []
        self._voltages = voltages
        return self._put(
            [(n, row.value(voltages)) for n, row in enumerate(CELLS_SENSORS, _FIRST_OF_CELLS)]
        )

    def _put(self, computed: Iterable[_Raw]) -> list[int]:
        """Round values and put them into their columns; return those that have changed."""
        values, decimals, changed = self._values, self._decimals, []
        for column, raw in computed:
            digits = decimals[column]
            value = raw if digits is None else shown(raw, digits)
            if value != values[column]:
                values[column] = value
                changed.append(column)
        return changed


def _sensors_of(unit: Unit) -> Iterator[Sensor]:
    """Yield the sensors of a unit, in the order of `UNIT_SENSORS`."""
    for row in UNIT_SENSORS:
        if row.group == "unit":
            yield row.at(unit.address)
        else:
            found: Any = row.value(unit)
            for number in range(1, len(found) + 1):
                yield row.at(unit.address, number)
