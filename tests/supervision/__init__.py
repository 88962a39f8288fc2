"""The README's unit under a real systemd: `python -m tests.supervision`, by hand, about 2 minutes.

As root on a Debian with the packages systemd-container and python3-venv. It boots this machine's
own system in a container, over a layer in memory that is thrown away afterwards, installs the
program there as the README says, and lets `probe` do to the service what may happen to it.
"""
