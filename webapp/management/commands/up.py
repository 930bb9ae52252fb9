from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from webapp.embedded import home_folder
from webapp.embedded_servers import EmbeddedError
from webapp.processes import leftovers_stop, stack_environment
from webapp.services.accounts import first_account_ensure, signin_link_make
from webapp.stack import Stack, keep_servers_alive, port_check, stack_marked, when_healthy


class Command(BaseCommand):
    help = "Run everything: web pages, workers and beat, in one terminal. Ctrl-C stops all of it; the data stays."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=os.environ.get("RECSMITH_HOST", "127.0.0.1"), help="address to listen on (RECSMITH_HOST)")
        parser.add_argument("--port", type=int, default=os.environ.get("RECSMITH_PORT", "8000"), help="port to listen on (RECSMITH_PORT)")

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        del options
        home = home_folder()
        address = browser_address(host, port)
        try:
            with stack_marked(home, address):
                if stopped := leftovers_stop(home):
                    self.stdout.write(f"Ended {stopped} processes that a killed run had left behind.")
                port_check(host, port)
                prepare()
                status = self._run(host, port, address)
        except EmbeddedError as error:
            raise CommandError(str(error)) from error
        if status:
            sys.exit(status)

    def _run(self, host: str, port: int, address: str) -> int:
        claim = first_account_ensure()
        link = signin_link_make(user=claim, address=address) if claim else None
        connection.close()
        variables = {
            "RECSMITH_HOST": f"[{host}]" if ":" in host else host,
            "RECSMITH_PORT": port,
            "RECSMITH_WORKERS": settings.RECSMITH_WORKERS,
            "RECSMITH_THREADS": settings.RECSMITH_THREADS,
        }
        stack = Stack(stack_environment(home_folder(), variables))

        def announce() -> None:
            stack.say(f"Recsmith is ready: {address}/")
            if link:
                stack.say(f"First visit: choose your name and password at {link}")

        when_healthy(address, announce)
        keep_servers_alive()
        return stack.run()


def prepare() -> None:
    """Bring the tables, static files and translations up to date."""
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("compilemessages")


def browser_address(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens on ``host``."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
