"""A folder of files that belong together: the parts of a split, interactions, side tables; told apart by names and content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gnn.errors import DataError
from gnn.sources.compression import SUFFIXES, Limits
from gnn.sources.detection import Detected
from gnn.sources.guess import LIKELY
from gnn.sources.mapping import PARTS, REQUIRED_ROLES, Mapping, Part
from gnn.sources.reading import DEFAULT_LIMITS, detect

_PART_NAMES: dict[str, Part] = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "test": "test"}
_NOT_DATA = ("readme", "license", "licence", "copying", "changelog")


@dataclass(frozen=True)
class FolderFile:
    path: Path
    detected: Detected
    part: Part | None
    """The part of a split that the file's name says it is."""


@dataclass(frozen=True)
class Folder:
    files: tuple[FolderFile, ...]
    left_out: dict[str, str]
    """Files that hold no table, with the reason."""

    @property
    def parts(self) -> tuple[FolderFile, ...]:
        """The parts of a split in their order, or nothing."""
        return tuple(file for part in PARTS for file in self.files if file.part == part)

    @property
    def interactions(self) -> tuple[FolderFile, ...]:
        """The parts if there are any, else the files that seem to hold interactions."""
        return self.parts or tuple(file for file in self.files if file.detected.kind.kind == "interactions")

    @property
    def behaviours(self) -> dict[str, FolderFile]:
        """The files of interactions by the behaviour that their names say, where several name their users and items and none is a part."""
        files = [] if self.parts else self.interactions
        if len(files) < 2 or not all(_names_both(file.detected) and "behaviour" not in file.detected.guesses for file in files):
            return {}
        named = {file.path.name.split(".")[0]: file for file in files}
        return named if len(named) == len(files) else {}

    @property
    def side_tables(self) -> tuple[FolderFile, ...]:
        return tuple(file for file in self.files if file.part is None and file.detected.kind.kind != "interactions")


class OnlySubfoldersError(DataError):
    """The files are in the ``subfolders``, each of which is data of its own."""

    def __init__(self, folder: Path, subfolders: list[Path]) -> None:
        super().__init__(f"The folder {folder} itself holds no table, but its subfolders hold files: {', '.join(map(str, subfolders))}.")
        self.subfolders = subfolders


def part_of(filename: str) -> Part | None:
    """The part that a name such as ``train.csv``, ``test.txt.gz`` or ``ml-1m.valid.inter`` says."""
    words = filename.lower().split(".")
    if f".{words[-1]}" in SUFFIXES:
        words.pop()
    found = {_PART_NAMES[word] for word in (words[0], words[-2] if len(words) > 2 else "") if word in _PART_NAMES}
    return found.pop() if len(found) == 1 else None


def look_at_folder(folder: Path, limits: Limits = DEFAULT_LIMITS) -> Folder:
    """Look at each file directly in a folder.

    Raises:
        OnlySubfoldersError: only folders inside it hold files.
        DataError: the folder cannot be read, holds no table, or names a part twice or training or test not at all.
    """
    files: list[FolderFile] = []
    left_out: dict[str, str] = {}
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        paths = [path for path in inside if path.is_file()]
        subfolders = [path for path in inside if path.is_dir() and any(below.is_file() for below in path.iterdir())]
        for path in paths:
            if path.name.lower().startswith(_NOT_DATA):
                continue
            with path.open("rb") as opened:
                try:
                    files.append(FolderFile(path, detect(opened, path.name, limits=limits), part_of(path.name)))
                except DataError as error:
                    left_out[path.name] = str(error)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.") from error
    if not files:
        if subfolders and not left_out:
            raise OnlySubfoldersError(folder, subfolders)
        raise DataError(f"The folder {folder} holds no file that can be read as a table.")
    looked = Folder(tuple(files), left_out)
    _check_parts(looked.parts, folder)
    return Folder(tuple(_alike(file, looked.parts, limits) for file in files), left_out)


def _names_both(detected: Detected) -> bool:
    return all(role in detected.guesses and detected.guesses[role].confidence >= LIKELY for role in REQUIRED_ROLES)


def part_mappings(parts: tuple[FolderFile, ...]) -> list[Mapping]:
    """How to read the parts of a split: as training is read where a part has the same columns.

    Raises:
        DataError: user and item columns could not be guessed.
    """
    first = parts[0].detected
    common = first.mapping()
    mappings = []
    for file in parts:
        how = file.detected.adapted(common) if file.detected.shape == first.shape else file.detected.mapping()
        mappings.append(how.model_copy(update={"part": file.part}))
    return mappings


def _check_parts(parts: tuple[FolderFile, ...], folder: Path) -> None:
    names = [file.part for file in parts]
    for name in PARTS:
        if names.count(name) > 1:
            twice = " and ".join(file.path.name for file in parts if file.part == name)
            raise DataError(f"The folder {folder} has more than one file for {name}: {twice}. Name the files one by one.")
    for needed in ("train", "test"):
        if names and needed not in names:
            raise DataError(f"The folder {folder} has {', '.join(file.path.name for file in parts)}, but no file for {needed}.")


def _alike(file: FolderFile, parts: tuple[FolderFile, ...], limits: Limits) -> FolderFile:
    """A part read as lists of items if another part is such: a list of one item looks like a pair."""
    if file.part is None or file.detected.source == "adjacency" or not any(part.detected.source == "adjacency" for part in parts):
        return file
    with file.path.open("rb") as opened:
        return FolderFile(file.path, detect(opened, file.path.name, source="adjacency", limits=limits), file.part)
