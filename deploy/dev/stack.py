#!/usr/bin/env python3
"""The local stack: Temporal, NATS, Ray, the Ray app, a stand-in model and the worker, under one supervisor."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the python3 on PATH may be older
    sys.exit(f"python3 3.11 or newer is needed; this one is {sys.version.split()[0]}")

from stack.cli import main

if __name__ == "__main__":
    sys.exit(main())
