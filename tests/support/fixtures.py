"""The types of the fixtures in `conftest.py`, for the tests that use them."""

from collections.abc import Callable

from support.bms import FakeBms
from support.process import Command
from support.subscriber import Subscriber

MakeBms = Callable[..., FakeBms]
Start = Callable[..., Command]
Run = Callable[..., Command]
Subscribe = Callable[..., Subscriber]
