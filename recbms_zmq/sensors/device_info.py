"""What is known of a pack beside its readings: the payload of a `device` message."""

from msgspec import Struct


class UnitInfo(Struct, frozen=True):
    """One BMS unit: its address, and how many cells and temperature sensors it has."""

    address: int
    cells: int
    sensors: int


class DeviceInfo(Struct, frozen=True, omit_defaults=True):
    """The units of a pack, and what its settings describe.

    Attributes:
        units: in the order of their addresses.
        model, chemistry: in words, as far as they are known.
        capacity: Ah.
        serial: only with `--include-serial`, because it is the password of the module.
        remarks: what cannot be true, or what the owner should put right.

    """

    units: tuple[UnitInfo, ...]
    model: str | None = None
    chemistry: str | None = None
    capacity: float | None = None
    serial: str | None = None
    remarks: tuple[str, ...] = ()
