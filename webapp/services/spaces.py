from __future__ import annotations

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gnn.catalogue import check_trainable
from gnn.errors import SpaceError
from gnn.space import SearchSpace
from webapp.enums import AuditVerb
from webapp.models import Space, SpaceVersion
from webapp.services.audit import event_record
from webapp.services.errors import Conflict


def space_create(*, owner: User | None, name: str, space: SearchSpace) -> Space:
    """Save a space under a name of its own, as its version 1.

    Raises:
        SpaceError: the engine cannot train it, or the name is taken (``field`` is "name").
    """
    check_trainable(space)
    try:
        with transaction.atomic():
            saved = Space.objects.create(owner=owner, name=name)
            SpaceVersion.objects.create(space=saved, number=1, document=space.to_json(), author=owner)
            event_record(AuditVerb.CREATE, saved)
            return saved
    except IntegrityError as error:
        raise _name_taken(name) from error


def space_update(*, space_id: int, name: str, space: SearchSpace, author: User | None = None, seen: int | None = None) -> Space:
    """Rename a saved space, and save what it holds as a new version where that has changed.

    ``seen`` is the version that the person changed, so that nobody's version is passed over unread.

    Raises:
        SpaceError: as for ``space_create``.
        Conflict: a version newer than ``seen`` was saved meanwhile.
    """
    check_trainable(space)
    document = space.to_json()
    try:
        with transaction.atomic():
            saved = Space.objects.select_for_update().get(pk=space_id)
            newest = saved.versions.latest("number")
            if document != newest.document:
                if seen is not None and seen != newest.number:
                    raise Conflict(
                        f"Version {newest.number} of space '{saved.name}' was saved meanwhile; this page began from version {seen}."
                    )
                SpaceVersion.objects.create(space=saved, number=newest.number + 1, document=document, author=author)
            saved.name = name
            saved.save(update_fields=["name", "updated_at"])
            event_record(AuditVerb.CHANGE, saved)
            return saved
    except IntegrityError as error:
        raise _name_taken(name) from error


def space_delete(*, space_id: int) -> None:
    """Forget a saved space with its versions; searches that used one keep their copy."""
    with transaction.atomic():
        space = Space.objects.select_for_update().filter(pk=space_id).first()
        if space is not None:
            event_record(AuditVerb.DELETE, space)
            space.delete()


def _name_taken(name: str) -> SpaceError:
    return SpaceError(f"There is a space named '{name}' already; choose another name.", field="name")
