"""The units of the pages under a real systemd: `python -m tests.supervision`, by hand, 3 minutes.

As root on a Debian with the packages systemd-container, python3-venv, mosquitto and
mosquitto-clients. It boots this machine's own system in a container, over a layer in memory that is
thrown away afterwards, types there the commands of `flows/service/README.md` and
`flows/pipes/README.md`, and lets `probe` do to the services what may happen to them.
"""

import sys
from pathlib import Path

# For `support`, which pytest finds by its own settings.
sys.path.insert(0, str(Path(__file__).parents[1]))
