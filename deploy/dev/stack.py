#!/usr/bin/env python3
"""The local stack: Temporal, NATS, Ray, the Ray app, a stand-in model and the worker, under one supervisor."""

import sys

# What Ray supports, and what the Ray app depends on.
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(f"python3 3.11 to 3.13 is needed; this one is {sys.version.split()[0]}")

from stack.cli import main

sys.exit(main())
