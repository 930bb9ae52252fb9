#!/usr/bin/env python
"""Run a command; it finds the embedded database and queue running unless the environment names others."""

from __future__ import annotations

import os
import signal
import sys

from django.core.management import execute_from_command_line
from django.db import ProgrammingError
from psycopg2.errors import UndefinedColumn, UndefinedTable

from webapp.embedded import home_folder, needs_servers, servers_held
from webapp.embedded_servers import EmbeddedError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        # Leave through the `with` below, so that the servers are let go of.
        signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    try:
        with servers_held(home_folder(), start=needs_servers(sys.argv[1:])):
            execute_from_command_line(sys.argv)
    except EmbeddedError as error:
        sys.exit(str(error))
    except ProgrammingError as error:
        if isinstance(error.__cause__, (UndefinedTable, UndefinedColumn)):
            sys.exit(f"{error.__cause__.diag.message_primary}: the tables are not those of this version. Run manage.py migrate first.")
        raise
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
