from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from webapp.translation import PAGES, SCRIPTS, catalog_file, catalog_update, languages, untranslated


class Command(BaseCommand):
    help = "Bring locale/ in line with the texts of templates, Python and scripts, and list what is not translated."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        del options
        for language in languages():
            for domain in (PAGES, SCRIPTS):
                missing = catalog_update(language, domain)
                self.stdout.write(f"{catalog_file(language, domain)}: {missing} not translated")
                for line in untranslated(language, domain):
                    self.stdout.write(f"  {line}")
