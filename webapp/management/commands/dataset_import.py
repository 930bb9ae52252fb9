from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gnn import sources
from gnn.errors import DataError
from gnn.sources.mapping import DELIMITERS, ROLES, TIMESTAMP_UNITS, Role
from webapp.enums import DatasetState
from webapp.models import Dataset
from webapp.services.datasets import dataset_import

_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "space": " "}


class Command(BaseCommand):
    help = "Import an interaction file, as the browser's upload does, and print the dataset's id and profile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--name", default="", help="of the dataset; the file's by default")
        for role in ROLES:
            parser.add_argument(
                f"--{role}-column", metavar="COLUMN", help="a name in the header, or a position from 1; guessed if no column is given"
            )
        parser.add_argument("--delimiter", help="one of :: ; | , tab space; guessed by default")
        parser.add_argument("--no-header", action="store_true", help="the first row is data; guessed by default")
        parser.add_argument("--timestamp-unit", choices=list(TIMESTAMP_UNITS), help="seen from the values by default")

    def handle(self, *, path: Path, name: str, delimiter: str | None, no_header: bool, **options: Any) -> None:
        delimiter = _NAMED_DELIMITERS.get(delimiter, delimiter) if delimiter else None
        if delimiter is not None and delimiter not in DELIMITERS:
            raise CommandError(f"--delimiter must be one of :: ; | , tab space, but is {delimiter!r}.")
        try:
            with path.open("rb") as opened:
                file = File(opened, name=path.name)
                detected = sources.detect(file, path.name, delimiter=delimiter, has_header=False if no_header else None)
                mapping = detected.mapping(_columns(detected, options), timestamp_unit=options["timestamp_unit"])
                dataset = dataset_import(owner=None, name=name, filename=path.name, file=file, mapping=mapping)
        except OSError as error:
            raise CommandError(f"{path} cannot be opened: {error.strerror}.") from error
        except DataError as error:
            raise CommandError(str(error)) from error
        if dataset.state != DatasetState.READY:
            raise CommandError(f"Dataset {dataset.pk} is invalid: {dataset.message}")
        self.stdout.write(describe(dataset))


def _columns(detected: sources.Detected, options: dict[str, Any]) -> dict[Role, int | str]:
    """The columns given, by position; what is not given is guessed among the others."""
    given = {role: _position(detected, role, options[f"{role}_column"]) for role in ROLES if options[f"{role}_column"]}
    columns: dict[Role, int | str] = {**given}
    for role, guess in detected.guesses.items():
        if options[f"{role}_column"] is None and guess.column not in given.values():
            columns[role] = guess.column
    return columns


def _position(detected: sources.Detected, role: Role, text: str) -> int:
    named = [column.index for column in detected.columns if column.name == text]
    if len(named) == 1:
        return named[0]
    if named:
        raise CommandError(f"--{role}-column: {len(named)} columns are named {text!r}; give a position from 1 to {len(detected.columns)}.")
    if text.isdecimal() and 1 <= int(text) <= len(detected.columns):
        return int(text) - 1
    names = ", ".join(repr(column.name) for column in detected.columns)
    raise CommandError(f"--{role}-column: there is no column {text!r}. The columns are {names}.")


def describe(dataset: Dataset) -> str:
    """The dataset's id and the heart of its profile, a line each."""
    profile = dataset.profile
    rejects = profile["rejects"]
    lines = [
        f"dataset {dataset.pk}: {dataset.name}",
        f"{profile['users']:,} users, {profile['items']:,} items, {profile['interactions']:,} interactions",
        f"density {profile['density']:.4%}",
        f"{rejects['rows_read']:,} rows read, {rejects['rows_kept']:,} kept, {rejects['rows_read'] - rejects['rows_kept']:,} rejected",
    ]
    for reason in rejects["reasons"]:
        first = reason["examples"][0]
        lines.append(f"  {reason['count']:,} rejected: {reason['text']} (first in line {first['line']}: {first['text']!r})")
    return "\n".join(lines + [f"note: {warning}" for warning in profile["warnings"]])
