"""Fuzzing: promises that have to hold for any bytes, and a program that looks for those that break.

`targets` has a function for each way in; it takes any bytes and fails if a promise is broken. They
are called by three: hypothesis in `tests/test_foreign_*.py`, a test that goes through every file of
`tests/corpus/`, and by hand, guided by coverage, atheris::

    python3 -m venv build/fuzz && build/fuzz/bin/pip install -q -e . atheris hypothesis pytest
    nice build/fuzz/bin/python -m tests.fuzz frames --seconds 600

It begins with the corpus, and writes what breaks a promise to `build/fuzz-found/`; that becomes a
file of the corpus, with the fix. Atheris is none of the project's requirements, because it has no
wheels for the newest Pythons; without it the program only goes through the corpus once.
"""
