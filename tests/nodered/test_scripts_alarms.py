"""The function node *Alarms*, run by Node.js: what Home Assistant is sent, and when."""

from typing import Any

from support.function_node import needs_node, run_scripts

from recbms_zmq.nodered.alarms import tables
from recbms_zmq.nodered.core_nodes import function

NODE = function("alarms", start="alarms_start", tables=tables())
WHO = {"device": "main", "device_name": "House"}
LOW = {
    "number": 2,
    "text": "Cell voltage too low",
    "advice": "Plug in the charger.",
    "unit": 2,
    "cell": 3,
}
NOTE = "recbms_main_alarm"
TITLE = "House: Cell voltage too low (unit 2, cell 3)"

pytestmark = needs_node


def event(name: str, **rest: Any) -> dict[str, Any]:
    payload = {"event": name, **LOW, **rest}
    ts = "2026-11-26T10:00:00.000Z"
    return {**WHO, "kind": "event", "key": "event", "payload": payload, "ts": ts}


def reading(key: str, payload: Any) -> dict[str, Any]:
    ts = "2026-11-26T10:00:00.000Z"
    return {**WHO, "kind": "reading", "key": key, "payload": payload, "ts": ts}


def availability(payload: str) -> dict[str, Any]:
    ts = "2026-11-26T10:00:00.000Z"
    base = {**WHO, "kind": "availability", "key": "availability", "payload": payload}
    return {**base, "reason": "no status frame for 30 s", "ts": ts}


class HomeAssistant:
    """Answers requests, so that a test reads what was sent after each message."""

    def __init__(self, kept: Any = None, **env: Any) -> None:
        self.kept = kept
        self._env = {"NOTIFY": "", "OFFLINE_MINUTES": 0, **env}
        self._messages: list[dict[str, Any]] = []

    def take(self, *messages: dict[str, Any], error: str = "") -> list[dict[str, Any]]:
        """Give messages, answer all requests; return the requests that were made."""
        made: list[dict[str, Any]] = []
        for message in messages:
            self._messages.append(message)
            waiting = self._run()
            while waiting:
                request = waiting[-1]
                data = request["payload"]["data"]
                made.append(data)
                answer: dict[str, Any] = {"request": request["request"], "payload": {}}
                if error:
                    answer["error"] = {"message": error}
                elif data["type"] == "frontend/get_user_data":
                    answer["payload"] = {"value": self.kept}
                elif data["type"] == "frontend/set_user_data":
                    self.kept = data["value"]
                self._messages.append(answer)
                waiting = self._run()
        return made

    def _run(self) -> list[dict[str, Any]]:
        # From the beginning: the process ends with each call. What is new is in the last answer.
        done = run_scripts(NODE["initialize"], NODE["func"], self._messages, **self._env)
        later: list[dict[str, Any]] = done[-1]["later"]
        return later


def short(requests: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what matters of the requests that a person or an automation notices."""
    found: list[tuple[Any, ...]] = []
    for each in requests:
        if each["type"] == "fire_event":
            found.append((each["event_data"]["event"], each["event_data"]["number"]))
        elif each["type"] == "call_service":
            data = each["service_data"]
            name = data.get("notification_id") or data.get("data", {}).get("tag")
            found.append((each["service"], name, data.get("title") or data.get("message")))
    return found


SHOW = ("create", NOTE, TITLE)
HIDE = ("dismiss", NOTE, None)


def test_an_alarm_is_an_event_with_all_its_fields_and_a_notification_until_it_is_cleared() -> None:
    home = HomeAssistant()
    raised = home.take(event("alarm_raised"))
    assert short(raised) == [("alarm_raised", 2), SHOW]
    [fired] = [each for each in raised if each["type"] == "fire_event"]
    assert fired == {
        "type": "fire_event",
        "event_type": "recbms_alarm",
        "event_data": {
            "event": "alarm_raised",
            **LOW,
            **WHO,
            "ts": "2026-11-26T10:00:00.000Z",
        },
    }
    assert short(home.take(event("alarm_cleared"))) == [("alarm_cleared", 2), HIDE]


def test_what_was_sent_before_a_deploy_or_a_restart_is_not_sent_again() -> None:
    home = HomeAssistant()
    home.take(event("alarm_raised"))
    deployed = HomeAssistant(home.kept)
    readings = [reading("problem", True), reading("error_number", 2)]
    readings += [reading("error_unit", 2), reading("error_cell", 3)]
    assert short(deployed.take(event("alarm_raised"), *readings, {"wait": 90000})) == []
    joined = HomeAssistant(home.kept)
    assert short(joined.take(*readings, {"wait": 90000})) == []
    assert short(joined.take(event("alarm_cleared"))) == [("alarm_cleared", 2), HIDE]


def test_an_alarm_that_came_or_went_while_nothing_listened_is_taken_from_the_readings() -> None:
    home = HomeAssistant()
    frame = [reading("problem", True), reading("error_number", 2)]
    frame += [reading("error_text", "Cell voltage too low")]
    frame += [reading("error_unit", 2), reading("error_cell", 3)]
    assert short(home.take({"wait": 70000}, *frame, {"wait": 3000})) == [("alarm_raised", 2), SHOW]
    later = HomeAssistant(home.kept)
    over = [reading("problem", False), reading("error_number", 0)]
    assert short(later.take({"wait": 70000}, *over, {"wait": 3000})) == [
        ("alarm_cleared", 2),
        HIDE,
    ]


def test_one_alarm_after_the_other_clears_the_first() -> None:
    home = HomeAssistant()
    home.take(event("alarm_raised"))
    other = event("alarm_raised", number=1, text="Cell voltage too high")
    assert short(home.take(other)) == [
        ("alarm_cleared", 2),
        HIDE,
        ("alarm_raised", 1),
        ("create", NOTE, "House: Cell voltage too high (unit 2, cell 3)"),
    ]


def test_a_phone_gets_it_too_and_is_cleared() -> None:
    home = HomeAssistant(NOTIFY="notify.mobile_app_phone")
    assert short(home.take(event("alarm_raised")))[2:] == [("mobile_app_phone", NOTE, TITLE)]
    cleared = short(home.take(event("alarm_cleared")))
    assert cleared[2:] == [("mobile_app_phone", NOTE, "clear_notification")]
    mail = HomeAssistant(NOTIFY="mail")
    mail.take(event("alarm_raised"))
    assert short(mail.take(event("alarm_cleared")))[2:] == [("mail", None, f"Over: {TITLE}")]


def test_what_happens_while_home_assistant_is_away_is_sent_when_it_is_back() -> None:
    home = HomeAssistant()
    home.take(event("alarm_raised"))
    home.take(event("alarm_cleared"), error="NoConnectionError")
    other = event("alarm_raised", number=1, text="Cell voltage too high")
    home.take(other, error="NoConnectionError")
    assert short(home.take({"control": "announce"})) == [
        # The persistent one is gone with the restart; then everything in order.
        SHOW,
        ("alarm_cleared", 2),
        HIDE,
        ("alarm_raised", 1),
        ("create", NOTE, "House: Cell voltage too high (unit 2, cell 3)"),
    ]


def test_a_notification_is_shown_again_after_a_restart_and_nothing_else() -> None:
    home = HomeAssistant(NOTIFY="mobile_app_phone")
    home.take(event("alarm_raised"))
    assert short(home.take({"control": "announce"})) == [SHOW]


def test_a_wrong_action_in_notify_costs_nothing_else() -> None:
    home = HomeAssistant()
    assert home.take(event("alarm_raised"), error="Action notify.x not found")[-1]["type"] == (
        "frontend/set_user_data"
    )


def test_offline_for_long_is_notified_once_and_ends() -> None:
    home = HomeAssistant(OFFLINE_MINUTES=5)
    offline = "recbms_main_offline"
    assert short(home.take(availability("offline"), {"wait": 299000})) == []
    assert short(home.take(availability("offline"), {"wait": 2000}, {"wait": 900000})) == [
        ("create", offline, "House is offline")
    ]
    assert short(home.take(availability("online"))) == [("dismiss", offline, None)]
    assert short(HomeAssistant().take(availability("offline"), {"wait": 9e6})) == []
