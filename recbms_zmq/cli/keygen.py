"""`recbms-zmq keygen`: makes a CURVE key pair, for a service or for a client."""

import argparse

from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument

EPILOG = """\
example, a service on one machine and a client on another:
  recbms-zmq keygen server
  recbms-zmq keygen client    (on the client's machine, where its secret stays)
  mkdir clients; cp client.key clients/      (on the service's machine)
  recbms-zmq run --curve-secret-key server.key_secret --curve-allow clients \\
      --publish 'tcp://*:5556' ws://192.168.8.2/ws
  recbms-zmq listen --curve-server-key server.key \\
      --curve-secret-key client.key_secret tcp://192.168.8.20:5556

exit codes: 0 done; 2 wrong argument; 73 a file exists, or cannot be written.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `keygen`."""
    parser.usage = "%(prog)s [OPTIONS] NAME"
    parser.epilog = EPILOG
    parser.add_argument(
        "name", metavar="NAME", help="write NAME.key_secret (mode 0600) and NAME.key"
    )


def main(args: argparse.Namespace) -> int:
    """Write the key files."""
    from recbms_zmq.curve import generate

    public, secret = generate(read_argument("NAME", readers.path, args.name))
    print(f"{secret}: secret; it stays on this machine")
    print(f"{public}: public; copy it to the other machine")
    return 0
