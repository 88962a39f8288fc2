"""`python -m recbms_zmq` is the command `recbms-zmq`."""

import sys

from recbms_zmq.cli import main

sys.exit(main())
