"""A database and a queue of a benchmark's own, thrown away when it ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import django
from django.core.management import call_command

from webapp.embedded import servers_held


@contextmanager
def own_database(postgres_options: Sequence[str] = ()) -> Iterator[Path]:
    """Run the embedded servers in a folder of their own, with Django set up and the tables made; gives the folder."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    with tempfile.TemporaryDirectory(prefix="recsmith-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # the database account passes through
        with servers_held(home, postgres_options=postgres_options):
            django.setup()
            call_command("migrate", verbosity=0)
            yield home
