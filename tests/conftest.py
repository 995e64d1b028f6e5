"""For all tests: what the shell did before changes nothing. Ctrl-C reaches them and the programs that they start, and what these
print is buffered as it is for a user.
"""

from __future__ import annotations

import os
import signal

os.environ.pop("PYTHONUNBUFFERED", None)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job that a shell started in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
