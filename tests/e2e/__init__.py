"""End-to-end tests: the flows in real Node-RED, with real Home Assistant and a real broker.

What each test runs is real but for two pieces, both made by us: the BMS (`scripted_bms`) and the
companion integration in Home Assistant (`companion_stand_in`). See README.md.
"""

import pytest

# So that its asserts explain themselves as those of a test do.
pytest.register_assert_rewrite("e2e.waiting")
