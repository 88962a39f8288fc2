"""The image of `flows/service`, built and run by podman: `python -m tests.image`, by hand.

As root on a Debian with the packages podman, runc and debootstrap. The official Python image is on
no package mirror, so Debian trixie, which has the same Python, takes its name. A folder as argument
is taken for an installed trixie, which saves the time of installing one.
"""

import sys
from pathlib import Path

# For `support`, which pytest finds by its own settings.
sys.path.insert(0, str(Path(__file__).parents[1]))
