"""The files of a bundle, in a folder or in one zip file: what they are called, their checksums, and getting them in and out safely."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gnn.errors import BundleError, BundleNewer, BundleTampered, BundleTruncated, BundleUnsafe

FORMAT = "recsmith.bundle"
SCHEMA = 2
MANIFEST = "manifest.json"
_FIRST = ("model.safetensors", "model.json", "users.parquet", "items.parquet", "MODEL_CARD.md", "LICENCES.md", "recommend.py")
MEMBERS_OF = {1: _FIRST, SCHEMA: (*_FIRST, "architecture.py", "recbole.yaml")}
"""Schema -> the files of its bundles; all of them can be read."""
MEMBERS = MEMBERS_OF[SCHEMA]
MAX_BYTES = 64 * 2**30
"""Most that a bundle may hold unpacked."""
MAX_JSON = 16 * 2**20
MAX_RATIO = 100
"""Most times its own size that a zip file may hold; embeddings hardly shrink."""
_CHUNK = 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that zip can tell: the same model gives the same bytes whenever it is packed."""


def seal(folder: Path) -> None:
    """Write the manifest: schema, and size and SHA-256 of every member."""
    members = {name: {"bytes": (folder / name).stat().st_size, "sha256": _sha256(folder / name)} for name in MEMBERS}
    document = {"format": FORMAT, "schema": SCHEMA, "members": members}
    (folder / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def verify(folder: Path) -> str:
    """Check that a folder holds exactly the bytes its manifest says; gives the bundle's digest, the SHA-256 of the manifest.

    The digest tells whether two bundles are the same. A checksum is no signature: who changes a member and its checksum
    makes another bundle, with another digest.

    Raises:
        BundleNewer, BundleTruncated, BundleTampered, BundleError: as they say.
    """
    # What else lies there is never read, such as what Python leaves behind when it imports recommend.py.
    sizes = _sizes_in(folder)
    for name, (size, digest) in sizes.items():
        path = folder / name
        if path.stat().st_size < size:
            raise BundleTruncated(f"{name} has {path.stat().st_size:,} of {size:,} bytes. Copy the bundle again.")
        if _sha256(path) != digest:
            raise BundleTampered(f"{name} is not the file that the bundle was made with: its SHA-256 differs from the manifest's.")
    return _sha256(folder / MANIFEST)


def pack(folder: Path, file: IO[bytes]) -> None:
    """Write a sealed folder as one zip file; the same content gives the same bytes."""
    members = _sizes_in(folder)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in (MANIFEST, *members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            with (folder / name).open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _CHUNK)


def unpack(file: IO[bytes], folder: Path) -> str:
    """Write the members of a zip file into an empty folder and verify them; gives the digest.

    Only names that a bundle has are written, and no more bytes than its manifest says.

    Raises:
        BundleError and its kinds; the folder may then hold a part.
    """
    with _archive(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        for name in entries:
            if name.startswith(("/", "\\")) or ".." in name or "\\" in name or ":" in name:
                raise BundleUnsafe(f"The bundle has a file {name[:200]!r}, which would be written outside its folder. Nothing was written.")
        if len(entries) != len(archive.infolist()):
            raise BundleUnsafe("The bundle has two files of one name. Nothing was written.")
        if MANIFEST not in entries:
            raise BundleError(f"This zip file is not a bundle of a model: it has no {MANIFEST}.")
        if entries[MANIFEST].file_size > MAX_JSON:
            raise BundleUnsafe(f"{MANIFEST} would be {entries[MANIFEST].file_size:,} bytes. Nothing was written.")
        manifest = archive.read(MANIFEST)
        sizes = _manifest_sizes(manifest, found=set(entries))
        file.seek(0, 2)
        if sum(size for size, _ in sizes.values()) > MAX_RATIO * file.tell():
            raise BundleUnsafe(f"The bundle would unpack to more than {MAX_RATIO} times its size. Nothing was written.")
        for name, (size, _) in sizes.items():
            if entries[name].file_size != size:
                raise BundleTampered(f"{name} has {entries[name].file_size:,} bytes, but the manifest says {size:,}. Nothing was written.")
        (folder / MANIFEST).write_bytes(manifest)
        for name in sizes:
            try:
                with archive.open(name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target, _CHUNK)  # no more than the size that was compared above
            except zipfile.BadZipFile as error:
                raise BundleTampered(f"{name} is not the file that the bundle was made with: {error}.") from error
    return verify(folder)


def _sizes_in(folder: Path) -> dict[str, tuple[int, str]]:
    return _manifest_sizes(_small(folder / MANIFEST), found={name for name in MEMBERS if (folder / name).is_file()})


@contextmanager
def _archive(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    head = file.read(4)
    file.seek(0)
    if head != b"PK\x03\x04":
        raise BundleError("This is not a zip file, so it is not a bundle of a model.")
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError) as error:
        raise BundleTruncated(f"The zip file is damaged or not complete ({error}). Copy the bundle again.") from error
    except (NotImplementedError, RuntimeError) as error:  # another compression, or a password
        raise BundleUnsafe(f"The zip file was not written by Recsmith: {error}.") from error


def _manifest_sizes(content: bytes, found: set[str]) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each member, from a manifest that names exactly the members there are."""
    try:
        document: Any = json.loads(content)
        if document["format"] != FORMAT:
            raise BundleError(f"{MANIFEST} is of the format {document['format']!r}, and not of a model's bundle.")
        schema = int(document["schema"])
        if schema > SCHEMA:
            raise BundleNewer(f"The bundle has schema {schema}, but this version reads up to {SCHEMA}. Use a newer Recsmith.")
        members = MEMBERS_OF[schema]
        sizes = {str(name): (int(entry["bytes"]), str(entry["sha256"])) for name, entry in document["members"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BundleTampered(f"{MANIFEST} is not what a bundle has: {type(error).__name__} {error}.") from error
    if set(sizes) != set(members):
        raise BundleTampered(f"{MANIFEST} must name {', '.join(members)}, but names {', '.join(sorted(sizes)) or 'nothing'}.")
    if missing := sorted(set(sizes) - found):
        raise BundleTruncated(f"The bundle lacks {', '.join(missing)}. Copy it again.")
    if unknown := sorted(found - set(sizes) - {MANIFEST}):
        raise BundleTampered(f"The bundle has a file {unknown[0][:200]!r} that its manifest does not name.")
    if any(size < 0 for size, _ in sizes.values()) or sum(size for size, _ in sizes.values()) > MAX_BYTES:
        raise BundleUnsafe(f"The bundle would need more than {MAX_BYTES // 2**30} GiB, so it was not read.")
    if sizes["model.json"][0] > MAX_JSON:
        raise BundleUnsafe(f"model.json would need {sizes['model.json'][0]:,} bytes, so it was not read.")
    return sizes


def _small(path: Path) -> bytes:
    if not path.is_file():
        raise BundleError(f"{path.parent.name} is not a bundle of a model: it has no {path.name}.")
    if path.stat().st_size > MAX_JSON:
        raise BundleUnsafe(f"{path.name} has {path.stat().st_size:,} bytes, so it was not read.")
    return path.read_bytes()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
