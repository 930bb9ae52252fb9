"""Models on a terminal."""

from __future__ import annotations

from django.core.management.base import CommandError

from gnn.bundle import Bundle
from gnn.errors import BundleError
from webapp.embedded import home_folder
from webapp.models import ModelVersion
from webapp.selectors.models import bundle_opened, version_said


def version_meant(text: str) -> ModelVersion:
    """The built version that an argument names; CommandError where there is none."""
    try:
        return version_said(text)
    except ModelVersion.DoesNotExist as error:
        raise CommandError(f"There is no built version {text!r} of a model. Name it by its id, NAME or NAME/NUMBER.") from error


def bundle_meant(text: str) -> Bundle:
    """The opened bundle of that version, kept in the home folder for the next command."""
    try:
        return bundle_opened(version_meant(text), home_folder() / "models")
    except BundleError as error:
        raise CommandError(str(error)) from error
