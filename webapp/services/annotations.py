"""Notes, tags and the archive: what people write beside things, without changing them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from webapp.enums import ACTIVE_SEARCH_STATES, AuditVerb, SearchState, SubjectKind
from webapp.models import Dataset, Model, Search, Space
from webapp.services.audit import event_record
from webapp.services.errors import Conflict

Annotatable = Dataset | Model | Search | Space

ANNOTATABLE: dict[SubjectKind, type[Annotatable]] = {
    SubjectKind.DATASET: Dataset,
    SubjectKind.SPACE: Space,
    SubjectKind.SEARCH: Search,
    SubjectKind.MODEL: Model,
}

MAX_NOTE = 20_000
"""Characters."""
MAX_TAGS = 20
MAX_TAG_LENGTH = 40


class NoteChanged(Conflict):
    """Somebody else saved the note since it was read."""


@transaction.atomic
def note_write(*, kind: SubjectKind, subject_id: int, text: str, seen: int) -> Annotatable:
    """Replace the note; ``seen`` is the version that the person read.

    Raises:
        ObjectDoesNotExist: there is no such dataset, space, search or model.
        NoteChanged: another note was saved meanwhile; nothing is written.
    """
    row = _locked(kind, subject_id)
    text = text.replace("\r\n", "\n").strip()
    if text == row.note:
        return row  # also the second press of the button
    if seen != row.note_version:
        raise NoteChanged(_("Somebody saved another note meanwhile. Yours is not lost: put the two together and save again."))
    row.note, row.note_version = text, row.note_version + 1
    row.save(update_fields=["note", "note_version"])
    event_record(AuditVerb.NOTE, row)
    return row


@transaction.atomic
def tags_set(*, kind: SubjectKind, subject_id: int, tags: Sequence[str]) -> Annotatable:
    """Replace the tags.

    Raises:
        ObjectDoesNotExist: there is no such dataset, space, search or model.
        Conflict: too many tags, or one that is too long.
    """
    row = _locked(kind, subject_id)
    wanted = sorted({" ".join(tag.lower().split()) for tag in tags} - {""})
    if len(wanted) > MAX_TAGS:
        raise Conflict(_("At most %(most)d tags, but these are %(n)d.") % {"most": MAX_TAGS, "n": len(wanted)})
    if long := [tag for tag in wanted if len(tag) > MAX_TAG_LENGTH]:
        raise Conflict(_("A tag may have %(most)d characters: “%(tag)s…” has more.") % {"most": MAX_TAG_LENGTH, "tag": long[0][:20]})
    if wanted != row.tags:
        row.tags = wanted
        row.save(update_fields=["tags"])
        event_record(AuditVerb.TAG, row, tags=wanted)
    return row


@transaction.atomic
def archive_set(*, kind: SubjectKind, subject_id: int, archived: bool) -> Annotatable:
    """Leave something out of lists, or show it in them again; nothing of it is lost.

    Raises:
        ObjectDoesNotExist: there is no such dataset, space, search or model.
        Conflict: it is a search that is not over.
    """
    row = _locked(kind, subject_id)
    if archived and isinstance(row, Search) and row.state in (*ACTIVE_SEARCH_STATES, SearchState.PAUSED):
        raise Conflict(_("Search “%(name)s” is not over, so it stays in the list. Stop it first.") % {"name": row.name})
    if archived != (row.archived_at is not None):
        type(row)._default_manager.filter(pk=row.pk).update(archived_at=Now() if archived else None)
        event_record(AuditVerb.ARCHIVE if archived else AuditVerb.UNARCHIVE, row)
    return row


def tags_of_text(text: str) -> list[str]:
    """The tags that a person typed, with commas of either language between them."""
    return re.split(r"[,，、;；\n]", text)


def _locked(kind: SubjectKind, subject_id: int) -> Annotatable:
    return ANNOTATABLE[kind]._default_manager.select_for_update().get(pk=subject_id)
