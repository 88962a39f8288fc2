"""Tests of the error table, held against REC's manual as the protocol notes give it."""

from recbms_zmq.wire.alarms import ALARMS, alarm_advice, alarm_guidance, alarm_text


def test_each_error_switches_off_what_is_in_the_manual() -> None:
    on, off = True, False
    assert {alarm.number: (alarm.charging, alarm.discharging) for alarm in ALARMS.values()} == {
        1: (off, on),
        2: (on, off),
        3: (on, on),
        4: (off, off),
        5: (off, off),
        6: (None, None),
        7: (off, on),
        8: (off, off),
        9: (None, None),
        10: (off, off),
        11: (None, None),
        12: (None, None),
        13: (None, None),
        14: (None, None),
        15: (None, None),
        16: (None, None),
    }


def test_each_row_has_its_number_as_the_key() -> None:
    assert [number for number, alarm in ALARMS.items() if alarm.number != number] == []


def test_an_error_that_the_manual_explains_has_advice() -> None:
    explained = {1, 2, 3, 4, 5, 7, 8, 10}
    assert {number for number, alarm in ALARMS.items() if alarm.advice} == explained


def test_a_known_error_has_a_text_and_an_unknown_one_its_number() -> None:
    assert alarm_text(1) == "Cell voltage too high"
    assert alarm_text(2) == "Cell voltage too low"
    assert alarm_text(7) == "Temperature too low for charging"
    assert alarm_text(9) == "Communication error between the units"
    assert alarm_text(17) == "Error 17"
    assert alarm_text(0) == "Error 0"
    assert alarm_text(-1) == "Error -1"


def test_the_meaning_is_what_is_off_and_what_to_do() -> None:
    assert ALARMS[2].meaning == (
        "REC's manual: discharging is switched off now. Plug in the charger."
    )
    assert ALARMS[4].meaning == (
        "REC's manual: charging and discharging are switched off now. "
        "Wait until the pack has cooled."
    )
    assert ALARMS[3].meaning == "Wait for balancing; if hours do not help, ask for service."
    assert ALARMS[16].meaning == ""


def test_an_unknown_number_has_no_advice() -> None:
    assert [alarm_advice(number) for number in (2, 16, 17, None)] == [
        "Plug in the charger.",
        "",
        "",
        "",
    ]


def test_people_read_one_guidance_everywhere_also_for_an_unknown_number() -> None:
    look_it_up = "Look it up in REC's manual."
    assert [alarm_guidance(number) for number in (2, 16, 17, None)] == [
        ALARMS[2].meaning,
        look_it_up,
        look_it_up,
        look_it_up,
    ]
    # A newer service may know more numbers.
    assert alarm_guidance(17, "Switch it off.") == "Switch it off."
    assert alarm_guidance(2, "Switch it off.") == ALARMS[2].meaning


def test_alarms_of_temperatures_concern_sensors() -> None:
    sensors = [alarm.number for alarm in ALARMS.values() if alarm.concerns == "sensor"]
    assert sensors == [4, 7, 8]
