"""The target `dashboard`: a page of FlowFuse Dashboard 2, for any number of packs of any size.

Three templates of our own: the state with its alarms, the history, the cells side by side. The
dashboard's own chart has one clock for all browsers and no steps. The texts of the page are made in
the function nodes, so that a template only has to show them.
"""

from typing import Any, Final

from recbms_zmq.nodered import core_nodes, resend
from recbms_zmq.nodered.layout import Canvas, Group, Properties, page
from recbms_zmq.nodered.options import FlowOptions
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.wire.alarms import ALARMS
from recbms_zmq.wire.chemistry import USUAL_CELL_LIMITS

COLOUR: Final = "#5b9a4c"
HISTORY_HOURS: Final = 24
GREEN: Final = "#3ddc97"
_DARK: Final = {
    "surface": "#0d1218",
    "primary": GREEN,
    "bgPage": "#0d1218",
    "groupBg": "#151c24",
    "groupOutline": "#222c37",
}
_SIZES: Final = {
    "density": "default",
    "pagePadding": "12px",
    "groupGap": "12px",
    "groupBorderRadius": "12px",
    "widgetGap": "12px",
}
_BREAKPOINTS: Final = (
    ("Phone", 0, 3),
    ("Tablet", 576, 6),
    ("Desktop", 1024, 12),
)


def env() -> list[Properties]:
    """Return what the target adds to the tab's environment."""
    return [core_nodes.env("HISTORY_HOURS", str(HISTORY_HOURS), "num")]


def tables() -> dict[str, Any]:
    """Return what the page has to know beside the messages: names, alarms, usual voltages."""
    measured = [sensor for sensor in SENSORS if sensor.decimals is not None]
    return {
        "sensors": {
            # Of cells and units, what their patterns begin with: `cell_voltage`.
            sensor.key.partition("/{")[0]: {
                "name": sensor.name,
                "unit": sensor.unit or "",
                "decimals": sensor.decimals,
            }
            for sensor in measured
            if sensor.group not in ("settings", "link")
        },
        "alarms": {
            alarm.number: {
                "text": alarm.text,
                "meaning": alarm.meaning,
                "concerns": alarm.concerns,
            }
            for alarm in ALARMS.values()
        },
        "usual": USUAL_CELL_LIMITS,
    }


def add(canvas: Canvas, options: FlowOptions, messages: str, at: tuple[int, int]) -> None:
    """Put the second and the third part on the tab.

    Args:
        canvas: of the tab.
        options: of the flow.
        messages: id of the `link out` node that sends the messages.
        at: upper left corner.

    """
    events, offline = resend.silence(canvas, messages, at, "2. Silence, and the time")
    events.line()
    tick = events.add(
        "inject",
        "tick",
        "Every second",
        "The page is drawn at most this often, and the charts count by it.",
        **core_nodes.inject(
            [{"p": "control", "v": "tick", "vt": "str"}, {"p": "payload", "v": "", "vt": "date"}],
            every=1,
        ),
    )
    ticks = resend.control_out(events, "tick-out")
    canvas.wire(tick, ticks)

    state, charts, cells = _page(canvas, options)
    group = canvas.group(
        "target", "3. Show it on the dashboard", COLOUR, (events.right + 40, at[1])
    )
    group.line()
    link_in = group.add(
        "link in", "packs-in", "Messages and control", "From groups 1 and 2.", links=[], l=True
    )
    for link in (messages, offline, ticks):
        canvas.link(link, link_in)
    packs = group.add(
        "function",
        "packs",
        "State of the packs",
        "Remembers the state of every pack that comes, and puts what the page shows into words.",
        **core_nodes.function("packs", start="packs_start", outputs=2, tables=tables()),
    )
    battery = _template(group, "battery", "Battery", state, "Charge, power, alarms.")
    group.line(1, after=packs)
    below = _template(group, "cells", "Cells", cells, "Every cell, and the temperatures.")
    group.line(2)
    group.skip(link_in)
    history = group.add(
        "function",
        "history",
        "History",
        "Keeps power and state of charge: a point for every 720th part of `HISTORY_HOURS`, which "
        "is in the tab's environment.",
        **core_nodes.function("history", start="history_start"),
    )
    drawn = _template(group, "charts", "Charts", charts, "The history.", "history")
    canvas.chain(link_in, packs, battery)
    canvas.wire(packs, below, 1)
    canvas.chain(link_in, history, drawn)


def _page(canvas: Canvas, options: FlowOptions) -> tuple[str, str, str]:
    """Add the page and its groups; return the groups' ids, in their order on the page."""
    # For all tabs: an owner who has a dashboard already gets one more page of it.
    ui = canvas.config(
        "ui-base",
        "ui",
        "Dashboard",
        everywhere=True,
        path="/dashboard",
        appIcon="",
        includeClientData=True,
        acceptsClientConfig=["ui-notification", "ui-control"],
        showPathInSidebar=False,
        headerContent="page",
        navigationStyle="default",
        titleBarStyle="default",
        showReconnectNotification=True,
        notificationDisplayTime=1,
        showDisconnectNotification=True,
        allowInstall=False,
    )
    theme = canvas.config(
        "ui-theme", "theme", "Battery, dark", everywhere=True, colors=_DARK, sizes=_SIZES
    )
    title = "Battery" if options.id == "main" else f"Battery {options.id}"
    path = "/battery" if options.id == "main" else f"/battery-{options.id}"
    own = canvas.config(
        "ui-page",
        "page",
        title,
        everywhere=True,
        ui=ui,
        path=path,
        icon="battery",
        layout="grid",
        theme=theme,
        breakpoints=[{"name": name, "px": px, "cols": cols} for name, px, cols in _BREAKPOINTS],
        order=1,
        className="recbms-page",
        visible="true",
        disabled="false",
    )

    def group(key: str, name: str, width: int, order: int) -> str:
        return canvas.config(
            "ui-group",
            f"group-{key}",
            name,
            everywhere=True,
            page=own,
            width=width,
            height=1,
            order=order,
            showTitle=False,
            className="",
            visible="true",
            disabled="false",
            groupType="default",
        )

    return (
        group("state", "State", 6, 1),
        group("charts", "History", 6, 2),
        group("cells", "Cells", 12, 3),
    )


def _template(group: Group, key: str, name: str, where: str, about: str, template: str = "") -> str:
    return group.add(
        "ui-template",
        key,
        name,
        f"{about} Colours and sizes are at the end of the template.",
        group=where,
        page="",
        ui="",
        order=1,
        width=0,
        height=0,
        head="",
        format=page(template or key),
        storeOutMessages=True,
        passthru=False,
        resendOnRefresh=True,
        templateScope="local",
        className="",
    )
