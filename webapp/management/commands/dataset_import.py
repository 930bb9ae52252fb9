from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gnn import sources
from gnn.errors import DataError
from gnn.sources import Detected, Mapping
from gnn.sources.folders import OnlySubfoldersError, look_at_folder, part_of
from gnn.sources.joins import unclear_joins
from gnn.sources.kinds import Kind
from gnn.sources.mapping import MAX_SKIP_LINES, NUMBER_FORMS, PARTS, REQUIRED_ROLES, ROLES, TIMESTAMP_UNITS, Role, is_delimiter
from gnn.sources.side_guess import guess_side_mapping
from webapp.enums import DatasetState, FileKind
from webapp.models import Dataset
from webapp.selectors.dataset_attributes import dataset_described, numbers_words
from webapp.services.datasets import ImportFile, dataset_import
from webapp.uploads import decompression_limits

_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "space": " "}
_SHOWN_COLUMNS = 8
_SIDE_KINDS = [kind.value for kind in FileKind if kind != FileKind.INTERACTIONS]


@dataclass(frozen=True)
class _Input:
    """A file and what was said of it before the equals sign."""

    path: Path
    kind: str | None = None
    constants: dict[str, str] = field(default_factory=dict)
    """Part, behaviour or domain of all its rows."""


class Command(BaseCommand):
    help = (
        "Import interactions and what belongs to them, as the browser's upload does, and print the dataset's id and profile. "
        "PATH is a file, or a folder whose files are told apart by name and content."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            metavar="[SAYING=]PATH",
            help=f"what a file is can be said: {', '.join(PARTS)} (a given split), behaviour:NAME, domain:NAME, {', '.join(_SIDE_KINDS)}",
        )
        parser.add_argument("--name", default="", help="of the dataset; the file's or folder's by default")
        for role in ROLES:
            parser.add_argument(
                f"--{role}-column", metavar="COLUMN", help="a name in the header, or a position from 1; guessed if no column is given"
            )
        parser.add_argument(
            "--text-column",
            action="append",
            default=[],
            metavar="COLUMN",
            help="a column of the item table that is free text, for a language model to read (search_run --text-model); guessed otherwise",
        )
        parser.add_argument("--delimiter", help="the sign between two fields, or tab, space, ::; guessed by default")
        parser.add_argument("--no-header", action="store_true", help="the first row is data; guessed by default")
        parser.add_argument(
            "--skip-lines",
            type=int,
            metavar="N",
            help="lines above the header or the first row that are neither, such as titles; seen by default",
        )
        parser.add_argument("--numbers", choices=list(NUMBER_FORMS), help="how numbers are written; seen from the values by default")
        parser.add_argument("--timestamp-unit", choices=list(TIMESTAMP_UNITS), help="seen from the values by default")

    def handle(
        self, *, paths: list[str], name: str, delimiter: str | None, no_header: bool, skip_lines: int | None, **options: Any
    ) -> None:
        delimiter = _NAMED_DELIMITERS.get(delimiter, delimiter) if delimiter else None
        if delimiter is not None and not is_delimiter(delimiter):
            raise CommandError(f"--delimiter must be one sign that stands in no name or number, or tab, space, ::, but is {delimiter!r}.")
        if skip_lines is not None and not 0 <= skip_lines <= MAX_SKIP_LINES:
            raise CommandError(f"--skip-lines must be from 0 to {MAX_SKIP_LINES:,}, but is {skip_lines}.")
        choices = {"delimiter": delimiter, "has_header": False if no_header else None, "skip_lines": skip_lines}
        try:
            inputs, name = self._inputs(paths, name, options["text_column"])
            with ExitStack() as opened:
                files = [(input_, File(opened.enter_context(input_.path.open("rb")), name=input_.path.name)) for input_ in inputs]
                dataset = _import(files, name, choices, options, self.stderr.write)
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be opened: {error.strerror}.") from error
        except DataError as error:
            raise CommandError(str(error)) from error
        if dataset.state != DatasetState.READY:
            raise CommandError(f"Dataset {dataset.pk} is invalid: {dataset.message}")
        self.stdout.write(describe(dataset))

    def _inputs(self, paths: list[str], name: str, texts: list[str]) -> tuple[list[_Input], str]:
        if len(paths) > 1 or not Path(paths[0]).is_dir():
            return [_said(path) for path in paths], name
        try:
            folder = look_at_folder(Path(paths[0]), decompression_limits())
        except OnlySubfoldersError as error:
            commands = "".join(f"\n  manage.py dataset_import {shlex.quote(str(subfolder))}" for subfolder in error.subfolders)
            raise DataError(f"{error} Import each by itself:{commands}") from error
        behaviours = folder.behaviours
        if len(folder.interactions) != 1 and not folder.parts and not behaviours:
            found = ", ".join(file.path.name for file in folder.interactions) or "none"
            raise DataError(
                f"One file of {paths[0]} must hold interactions, but {len(folder.interactions)} do ({found}). Name the files to import."
            )
        for filename, reason in folder.left_out.items():
            self.stderr.write(f"{filename} is left out: {reason}")
        inputs = [_Input(file.path, "interactions", {"part": file.part} if file.part else {}) for file in folder.interactions]
        if behaviours:
            inputs = [_Input(file.path, "interactions", {"behaviour": behaviour}) for behaviour, file in behaviours.items()]
            told = ", ".join(f"{behaviour} ({file.path.name})" for behaviour, file in behaviours.items())
            self.stderr.write(f"Each file of interactions is taken as a behaviour: {told}. To take only some, name the files.")
        for file in folder.side_tables:
            try:
                guess_side_mapping(file.detected, file.detected.kind.kind, texts)
            except DataError as error:
                self.stderr.write(f"{file.path.name} is left out: {error}")
            else:
                inputs.append(_Input(file.path, file.detected.kind.kind))
        return inputs, name or Path(paths[0]).resolve().name


def _said(text: str) -> _Input:
    """Take apart ``SAYING=PATH``; a file that has an equals sign in its name is meant as it is."""
    saying, equals, rest = text.partition("=")
    if not equals or Path(text).exists():
        part = part_of(Path(text).name)
        return _Input(Path(text), "interactions" if part else None, {"part": part} if part else {})
    role, _, value = saying.partition(":")
    if saying in PARTS:
        return _Input(Path(rest), "interactions", {"part": saying})
    if role in ("behaviour", "domain") and value:
        return _Input(Path(rest), "interactions", {role: value})
    if saying in FileKind.values:
        return _Input(Path(rest), saying)
    raise CommandError(f"{saying!r} before = must be one of {', '.join((*PARTS, *FileKind.values))}, behaviour:NAME or domain:NAME.")


def _import(
    files: list[tuple[_Input, File[Any]]], name: str, choices: dict[str, Any], options: dict[str, Any], tell: Callable[[str], Any]
) -> Dataset:
    """Guess what is not said, the first file of interactions leading, tell how that one is understood, and import."""
    alone = len(files) == 1
    if alone:
        files = [(_Input(files[0][0].path, "interactions"), files[0][1])]
    looked = [(input_, file, _look(file, **choices)) for input_, file in files]
    kinds = [input_.kind or detected.kind.kind for input_, _, detected in looked]
    if "interactions" not in kinds:
        raise DataError("None of the files holds interactions. Say which one does: interactions=PATH.")
    first = kinds.index("interactions")
    if any(detected.source == "adjacency" and kind == "interactions" for (_, _, detected), kind in zip(looked, kinds, strict=True)):
        # A list of one item looks like a pair, so one file of lists says it for all.
        looked = [
            (
                input_,
                file,
                sources.detect(file, input_.path.name, source="adjacency", limits=decompression_limits())
                if kind == "interactions"
                else detected,
            )
            for (input_, file, detected), kind in zip(looked, kinds, strict=True)
        ]
    main, main_file, main_detected = looked[first]
    common = _main_mapping(main_detected, options)
    tell(_understood(main_detected, common))
    for problem in main_detected.problems:
        tell(f"note: {main.path.name}: {problem}")
    for role, warning in unclear_joins(main_detected, common.columns, kinds).items():
        if options[f"{role}_column"] is None:
            tell(f"note: {main.path.name}: {warning} Say it with --{role}-column.")
    texts = _text_columns([detected for (_, _, detected), kind in zip(looked, kinds, strict=True) if kind == "item_attributes"], options)
    further = []
    for at, ((input_, file, detected), kind) in enumerate(zip(looked, kinds, strict=True)):
        if at != first and kind == "interactions":
            how = detected.adapted(common) if detected.shape == main_detected.shape else detected.mapping()
            further.append(ImportFile(FileKind.INTERACTIONS, input_.path.name, file, _with(how, input_.constants)))
        elif at != first:
            how_side = guess_side_mapping(detected, cast(Kind, kind), texts if kind == "item_attributes" else ())
            further.append(ImportFile(FileKind(kind), input_.path.name, file, how_side))
    return dataset_import(
        owner=None, name=name, filename=main.path.name, file=main_file, mapping=_with(common, main.constants), further=further
    )


def _look(file: File[Any], **choices: Any) -> Detected:
    return sources.detect(file, file.name or "", limits=decompression_limits(), **choices)


def _main_mapping(detected: Detected, options: dict[str, Any]) -> Mapping:
    columns = _columns(detected, options)
    missing = [role for role in REQUIRED_ROLES if role not in columns]
    if missing and detected.source != "adjacency":
        names = ", ".join(repr(column.name) for column in detected.columns[:_SHOWN_COLUMNS])
        more = f" and {len(detected.columns) - _SHOWN_COLUMNS} more" if len(detected.columns) > _SHOWN_COLUMNS else ""
        raise DataError(
            f"{detected.filename} has no column that can be taken for the {' or the '.join(missing)}; its columns are {names}{more}. "
            f"Say which it is with {' and '.join(f'--{role}-column COLUMN' for role in missing)}. "
            f"If none is, add a column that tells the {' and the '.join(missing)} of each row, or name other files."
        )
    return detected.mapping(columns, timestamp_unit=options["timestamp_unit"], numbers=options["numbers"])


def _understood(detected: Detected, mapping: Mapping) -> str:
    """The format and the role of each column, with how sure the guess is that made it so."""
    roles = []
    for role, key in mapping.columns.items():
        column, guess = detected.column(key), detected.guesses.get(role)
        if column is not None:
            sure = f"{guess.confidence:.0%} sure" if guess is not None and guess.column == column.index else "as said"
            roles.append(f"{role} {column.name!r} ({sure})")
    skipped = f", lines 1 to {mapping.skip_lines} skipped," if mapping.skip_lines else ""
    return f"{detected.filename} is read as {detected.label}{skipped}" + (f" with {', '.join(roles)}" if roles else "")


def _text_columns(tables: list[Detected], options: dict[str, Any]) -> list[str]:
    """The columns that were said to be free text, each of which some item table has."""
    names = [column.name for table in tables for column in table.columns]
    plain = {name.rpartition(":")[0] for name in names if ":" in name}
    texts: list[str] = options["text_column"]
    for text in texts:
        if text not in names and text not in plain:
            found = f"The columns are {', '.join(map(repr, names))}" if tables else "There is none: give one as item_attributes=PATH"
            raise CommandError(f"--text-column: no item table has a column {text!r}. {found}.")
    return texts


def _with(mapping: Mapping, constants: dict[str, str]) -> Mapping:
    return Mapping.from_json(mapping.to_json() | constants)


def _columns(detected: Detected, options: dict[str, Any]) -> dict[Role, int | str]:
    """The columns given, by position; what is not given is guessed among the others."""
    given = {role: _position(detected, role, options[f"{role}_column"]) for role in ROLES if options[f"{role}_column"]}
    columns: dict[Role, int | str] = {**given}
    for role, guess in detected.guesses.items():
        if options[f"{role}_column"] is None and guess.column not in given.values():
            columns[role] = guess.column
    return columns


def _position(detected: Detected, role: Role, text: str) -> int:
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
    if profile["parts"]:
        lines.append("split: " + ", ".join(f"{count:,} {part}" for part, count in profile["parts"].items()))
    for side in profile["side"]:
        lines.append(f"{side['filename']}: {side['rows']:,} rows of {side['kind'].replace('_', ' ')}, coverage {side['coverage']:.1%}")
    described = dataset_described(dataset)
    if numbers := numbers_words(described):
        lines.append(f"attributes give {numbers}")
    if described.item_texts:
        lines.append(f"free text of items: {', '.join(described.item_texts)}")
    return "\n".join(lines + [f"note: {warning}" for warning in profile["warnings"]])
