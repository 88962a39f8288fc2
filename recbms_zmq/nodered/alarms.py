"""Alarms in Home Assistant: events and notifications, also for a BMS that is offline for long.

On MQTT there is no way to do either: there an alarm is an event of an entity.
"""

from typing import Any, Final

from recbms_zmq.nodered import core_nodes, home_assistant, requests
from recbms_zmq.nodered.layout import Canvas, Group, Properties
from recbms_zmq.wire.alarms import ALARMS

COLOUR: Final = "#c0504d"


def env() -> list[Properties]:
    """Return what the group adds to the tab's environment."""
    return [core_nodes.env("NOTIFY", ""), core_nodes.env("OFFLINE_MINUTES", "0", "num")]


def tables() -> dict[str, Any]:
    """Return REC's table of errors for the function node."""
    return {
        "alarms": {
            alarm.number: {
                "text": alarm.text,
                "advice": alarm.advice,
                "meaning": alarm.meaning,
                "concerns": alarm.concerns,
            }
            for alarm in ALARMS.values()
        }
    }


def add(canvas: Canvas, messages: str, controls: list[str], at: tuple[int, int]) -> Group:
    """Put the group on the tab; return it.

    Args:
        canvas: of the tab.
        messages: id of the `link out` node that sends the messages.
        controls: ids of the link nodes that give `msg.control`.
        at: upper left corner.

    """
    group = canvas.group("alarms", "4. Alarms: events and notifications", COLOUR, at)
    group.line()
    link_in = group.add(
        "link in", "alarms-in", "Messages and control", "From groups 1 and 2.", links=[], l=True
    )
    for link in (messages, *controls):
        canvas.link(link, link_in)
    alarms = group.add(
        "function",
        "alarms-send",
        "Alarms",
        "Fires the event `recbms_alarm` in Home Assistant when an alarm is raised or cleared, and "
        "shows a notification until it is cleared. `NOTIFY` in the tab's environment names an "
        "action that sends it to a phone too, such as `notify.mobile_app_phone`. With "
        "`OFFLINE_MINUTES` above 0 it also notifies you of a BMS that is offline for that long. "
        "Nothing is sent twice: Home Assistant keeps what was sent last.",
        **core_nodes.function("alarms", start="alarms_start", tables=tables()),
    )
    canvas.chain(link_in, alarms)
    answers = requests.add(canvas, group, "alarms", alarms, link_in)
    canvas.link(answers, canvas.id(home_assistant.ANSWERED))
    return group


def add_mqtt(
    canvas: Canvas, messages: str, controls: list[str], at: tuple[int, int]
) -> tuple[Group, str]:
    """Put the group of the MQTT flow on the tab; return it and the link node for control.

    The arguments are those of `add`.
    """
    group = canvas.group("alarms", "4. Alarms: an event entity", COLOUR, at)
    group.line()
    link_in = group.add(
        "link in", "alarms-in", "Messages and control", "From groups 1 and 2.", links=[], l=True
    )
    for link in (messages, *controls):
        canvas.link(link, link_in)
    make = group.add(
        "function",
        "alarms-send",
        "Alarm events",
        "Makes the entity *Alarm* of each BMS, `event.rec_bms_alarm` for example, and an event of "
        "it when an alarm is raised or cleared. Its attributes are `event_type`, `number`, `text`, "
        "`advice`, `unit` and `cell`.",
        **core_nodes.function("mqtt_alarms", start="mqtt_alarms_start"),
    )
    out = group.add(
        "mqtt out",
        "alarms-out",
        "Publish",
        "Publishes what the node before it has made.",
        **core_nodes.mqtt_out(canvas.id("broker")),
    )
    canvas.chain(link_in, make, out)
    return group, link_in
