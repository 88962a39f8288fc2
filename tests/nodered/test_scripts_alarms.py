"""The function node *Alarms*, run by Node.js: what Home Assistant is sent, and when."""

from typing import Any

import pytest
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

    def receive(
        self, *messages: dict[str, Any], error: str = "", answers: int | None = None
    ) -> list[dict[str, Any]]:
        """Give messages, answer all requests; return the requests that were made.

        With `error`, what is asked for is refused. With `answers`, the connection ends behind so
        many of the requests: Home Assistant does not get the others, and answers none.
        """
        made: list[dict[str, Any]] = []
        for message in messages:
            self._messages.append(message)
            waiting = self._run()
            while waiting:
                reached = waiting if answers is None else waiting[:answers]
                if answers is not None:
                    answers -= len(reached)
                replies = [self._reply(request, error) for request in reached]
                made += [request["payload"]["data"] for request in reached]
                if answers == 0:
                    lost = {"message": "Connection lost"}
                    replies = [{"request": each["request"], "error": lost} for each in waiting]
                waiting = []
                for reply in replies:
                    self._messages.append(reply)
                    waiting = self._run()
        return made

    def unanswered(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Give a message; Home Assistant gets the requests, and the answers are still missing."""
        self._messages.append(message)
        made = self._run()
        for request in made:
            self._reply(request, "")
        return [request["payload"]["data"] for request in made]

    def _reply(self, request: dict[str, Any], error: str) -> dict[str, Any]:
        data = request["payload"]["data"]
        if error:
            return {"request": request["request"], "error": {"message": error}}
        if data["type"] == "frontend/set_user_data":
            self.kept = data["value"]
        value = {"value": self.kept} if data["type"] == "frontend/get_user_data" else {}
        return {"request": request["request"], "payload": value}

    def _run(self) -> list[dict[str, Any]]:
        # From the beginning: the process ends with each call. What is new is in the last answer.
        done = run_scripts(NODE["initialize"], NODE["func"], self._messages, **self._env)
        return [each for [sent] in done[-1]["later"] for each in sent]


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


SAVE = "frontend/set_user_data"
SHOW = ("create", NOTE, TITLE)
HIDE = ("dismiss", NOTE, None)


def test_an_alarm_is_an_event_with_all_its_fields_and_a_notification_until_it_is_cleared() -> None:
    home = HomeAssistant()
    raised = home.receive(event("alarm_raised"))
    assert short(raised) == [("alarm_raised", 2), SHOW]
    [fired] = [each for each in raised if each["type"] == "fire_event"]
    assert fired == {
        "type": "fire_event",
        "event_type": "recbms_alarm",
        "event_data": {
            "id": "main-1",
            "event": "alarm_raised",
            **LOW,
            **WHO,
            "ts": "2026-11-26T10:00:00.000Z",
        },
    }
    assert short(home.receive(event("alarm_cleared"))) == [("alarm_cleared", 2), HIDE]


@pytest.mark.parametrize("device", ["constructor", "__proto__"])
def test_a_bms_may_have_any_id(device: str) -> None:
    raised = HomeAssistant().receive({**event("alarm_raised"), "device": device})
    note = ("create", f"recbms_{device}_alarm", TITLE)
    assert short(raised) == [("alarm_raised", 2), note]


def test_an_alarm_of_no_unit_and_no_cell_has_no_place() -> None:
    raised = HomeAssistant().receive(event("alarm_raised", unit=0, cell=0))
    assert short(raised) == [
        ("alarm_raised", 2),
        ("create", NOTE, "House: Cell voltage too low"),
    ]


def test_what_was_sent_before_a_deploy_or_a_restart_is_not_sent_again() -> None:
    home = HomeAssistant()
    home.receive(event("alarm_raised"))
    deployed = HomeAssistant(home.kept)
    readings = [reading("problem", True), reading("error_number", 2)]
    readings += [reading("error_unit", 2), reading("error_cell", 3)]
    assert short(deployed.receive(event("alarm_raised"), *readings, {"wait": 90000})) == []
    joined = HomeAssistant(home.kept)
    assert short(joined.receive(*readings, {"wait": 90000})) == []
    assert short(joined.receive(event("alarm_cleared"))) == [("alarm_cleared", 2), HIDE]


def test_an_alarm_that_came_or_went_while_nothing_listened_is_taken_from_the_readings() -> None:
    home = HomeAssistant()
    frame = [reading("problem", True), reading("error_number", 2)]
    frame += [reading("error_text", "Cell voltage too low")]
    frame += [reading("error_unit", 2), reading("error_cell", 3)]
    assert short(home.receive({"wait": 70000}, *frame, {"wait": 3000})) == [
        ("alarm_raised", 2),
        SHOW,
    ]
    later = HomeAssistant(home.kept)
    over = [reading("problem", False), reading("error_number", 0)]
    assert short(later.receive({"wait": 70000}, *over, {"wait": 3000})) == [
        ("alarm_cleared", 2),
        HIDE,
    ]


@pytest.mark.parametrize(
    ("reached", "then"),
    [(0, "a retry"), (4, "a retry"), (4, "a new connection"), (3, "a deploy"), (4, "a deploy")],
)
def test_an_alarm_is_sent_once_when_the_connection_ends_before_it_is_answered(
    reached: int, then: str
) -> None:
    home = HomeAssistant()
    home.receive(availability("online"))
    first = home.receive(event("alarm_raised"), answers=reached)
    if then == "a deploy":
        # And the alarm is over by then.
        home = HomeAssistant(home.kept)
        over = [reading("problem", False), {"wait": 70000}]
        second = home.receive(availability("online"), {"wait": 70000}, *over)
    elif then == "a retry":
        second = home.receive({"wait": 31000})
    else:
        second = home.receive({"control": "announce"})
    fired = [each for each in first + second if each["type"] == "fire_event"]
    events = {each["event_data"]["id"]: each["event_data"]["event"] for each in fired}
    ids = ["main-1", "main-2"] if then == "a deploy" else ["main-1"]
    assert events == dict(zip(ids, ["alarm_raised", "alarm_cleared"], strict=False))
    assert len(fired) == len(ids) + (reached == 3)  # in doubt it is repeated, with its id
    assert home.kept["alarm"] == (None if then == "a deploy" else LOW)
    assert "pending" not in home.kept


def test_a_new_connection_does_not_repeat_what_is_on_its_way() -> None:
    home = HomeAssistant()
    home.receive(availability("online"))
    raised = home.unanswered(event("alarm_raised"))
    assert [each["type"] for each in raised] == [SAVE, "fire_event", "call_service", SAVE]
    assert short(home.receive({"control": "announce"})) == [SHOW]
    assert short(home.receive(event("alarm_cleared"))) == [("alarm_cleared", 2), HIDE]


def test_one_alarm_after_the_other_clears_the_first() -> None:
    home = HomeAssistant()
    home.receive(event("alarm_raised"))
    other = event("alarm_raised", number=1, text="Cell voltage too high")
    assert short(home.receive(other)) == [
        ("alarm_cleared", 2),
        HIDE,
        ("alarm_raised", 1),
        ("create", NOTE, "House: Cell voltage too high (unit 2, cell 3)"),
    ]


def test_a_phone_gets_it_too_and_is_cleared() -> None:
    home = HomeAssistant(NOTIFY="notify.mobile_app_phone")
    assert short(home.receive(event("alarm_raised")))[2:] == [("mobile_app_phone", NOTE, TITLE)]
    cleared = short(home.receive(event("alarm_cleared")))
    assert cleared[2:] == [("mobile_app_phone", NOTE, "clear_notification")]
    mail = HomeAssistant(NOTIFY="mail")
    mail.receive(event("alarm_raised"))
    assert short(mail.receive(event("alarm_cleared")))[2:] == [("mail", None, f"Over: {TITLE}")]


def test_what_happens_while_home_assistant_is_away_is_sent_when_it_is_back() -> None:
    home = HomeAssistant()
    home.receive(event("alarm_raised"))
    home.receive(event("alarm_cleared"), error="NoConnectionError")
    other = event("alarm_raised", number=1, text="Cell voltage too high")
    home.receive(other, error="NoConnectionError")
    assert short(home.receive({"control": "announce"})) == [
        # The persistent one is gone with the restart; then everything in order.
        SHOW,
        ("alarm_cleared", 2),
        HIDE,
        ("alarm_raised", 1),
        ("create", NOTE, "House: Cell voltage too high (unit 2, cell 3)"),
    ]


def test_a_notification_is_shown_again_after_a_restart_and_nothing_else() -> None:
    home = HomeAssistant(NOTIFY="mobile_app_phone")
    home.receive(event("alarm_raised"))
    assert short(home.receive({"control": "announce"})) == [SHOW]


def test_a_wrong_action_in_notify_costs_nothing_else() -> None:
    home = HomeAssistant()
    assert home.receive(event("alarm_raised"), error="Action notify.x not found")[-1]["type"] == (
        "frontend/set_user_data"
    )


def test_offline_for_long_is_notified_once_and_ends() -> None:
    home = HomeAssistant(OFFLINE_MINUTES=5)
    offline = "recbms_main_offline"
    assert short(home.receive(availability("offline"), {"wait": 299000})) == []
    assert short(home.receive(availability("offline"), {"wait": 2000}, {"wait": 900000})) == [
        ("create", offline, "House is offline")
    ]
    assert short(home.receive(availability("online"))) == [("dismiss", offline, None)]
    assert short(HomeAssistant().receive(availability("offline"), {"wait": 9e6})) == []
