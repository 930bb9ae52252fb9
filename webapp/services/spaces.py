from __future__ import annotations

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gnn.catalogue import check_trainable
from gnn.errors import SpaceError
from gnn.space import SearchSpace
from webapp.models import Space


def space_create(*, owner: User | None, name: str, space: SearchSpace) -> Space:
    """Save a space under a name of its own.

    Raises:
        SpaceError: the engine cannot train it, or the name is taken (``field`` is "name").
    """
    check_trainable(space)
    try:
        with transaction.atomic():
            return Space.objects.create(owner=owner, name=name, document=space.to_json())
    except IntegrityError as error:
        raise _name_taken(name) from error


def space_update(*, space_id: int, name: str, space: SearchSpace) -> Space:
    """Change a saved space; searches keep the copy they froze when they started.

    Raises:
        SpaceError: as for ``space_create``.
    """
    check_trainable(space)
    try:
        with transaction.atomic():
            saved = Space.objects.select_for_update().get(pk=space_id)
            saved.name = name
            saved.document = space.to_json()
            saved.save(update_fields=["name", "document", "updated_at"])
            return saved
    except IntegrityError as error:
        raise _name_taken(name) from error


def space_delete(*, space_id: int) -> None:
    """Forget a saved space; searches that used it keep their copy."""
    Space.objects.filter(pk=space_id).delete()


def _name_taken(name: str) -> SpaceError:
    return SpaceError(f"There is a space named '{name}' already; choose another name.", field="name")
