"""Tests of the whole command from outside: real processes, sockets, pipes and signals."""
