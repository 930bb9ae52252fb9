"""The errors this library raises; each message carries the values and says what to change."""

from __future__ import annotations


class GnnError(Exception):
    """Base of every expected failure of the library."""


class DataError(GnnError):
    """The interaction data cannot be used as given; the message names the row, column or file."""


class SpaceError(GnnError):
    """A search space, architecture or protocol is not valid.

    ``field`` names the decision or setting at fault, so that a form can show the message beside it; ``place`` leads to it
    in a JSON document, key by key.
    """

    def __init__(self, message: str, *, field: str | None = None, place: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.field = field
        self.place = place


class TrainError(GnnError):
    """Training could not produce a usable model."""


class OutOfMemory(TrainError):
    """The model does not fit the device, even with the smallest batch."""


class Diverged(TrainError):
    """The loss or the embeddings stopped being finite, or all embeddings collapsed to one point."""


class BundleError(GnnError):
    """A model bundle that cannot be used as it is."""


class BundleNewer(BundleError):
    """It was written by a later version of Recsmith."""


class BundleTruncated(BundleError):
    """A part of it is missing."""


class BundleTampered(BundleError):
    """Its content is not what it says it is: other bytes than its checksums, or arrays that do not fit each other."""


class BundleUnsafe(BundleError):
    """It is not made of data alone, reaches outside its folder, or would fill the disk; nothing of it was used."""
