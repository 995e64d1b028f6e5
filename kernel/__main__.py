"""`python -m boc.kernel install`: see `spec`."""

from __future__ import annotations

import sys

from .spec import main

sys.exit(main())
