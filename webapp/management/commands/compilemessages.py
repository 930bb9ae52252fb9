from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from webapp.translation import catalogs_compile


class Command(BaseCommand):
    help = "Compile the catalogues under locale/ into what the web process reads; `up` does this at each start."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        del options
        catalogs_compile()
