"""What every client here has the test do: a line says which call to make and how it ends, `done` comes when it went so."""

import os
import sys

CUSTOMER, BACKUP = os.environ["CUSTOMER"], os.environ["BACKUP"]
DIGITS = os.environ["DIGITS"]  # Numbers of this client begin so.


def call(*words):
    print(*words, flush=True)
    answer = sys.stdin.readline().strip()
    assert answer == "done", answer


def raises(exception, function, **arguments):
    try:
        function(**arguments)
    except exception as raised:
        return raised
    raise AssertionError(f"{function} raised no {exception}")
