"""Notes, tags and the archive of a dataset, space, search or model."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from webapp.enums import SubjectKind
from webapp.forms.annotations import NoteForm, TagsForm
from webapp.services.annotations import ANNOTATABLE, Annotatable, NoteChanged, archive_set, note_write, tags_of_text, tags_set
from webapp.services.errors import Conflict
from webapp.templatetags.annotations import subject_url


@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest, kind: str, subject_id: int) -> HttpResponse:
    """Write the note; where somebody else did meanwhile, show both and lose neither."""
    row = _row(kind, subject_id)
    form, theirs, status = NoteForm(initial={"text": row.note, "seen": row.note_version}), None, 200
    if request.method == "POST":
        form, status = NoteForm(request.POST), 422
        if form.is_valid():
            try:
                note_write(kind=SubjectKind(kind), subject_id=subject_id, text=form.cleaned_data["text"], seen=form.cleaned_data["seen"])
            except ObjectDoesNotExist as error:
                raise Http404 from error
            except NoteChanged as error:
                row.refresh_from_db()
                theirs, status = row.note, 409
                form = NoteForm({"text": form.cleaned_data["text"], "seen": row.note_version})
                messages.warning(request, str(error))
            else:
                messages.success(request, _("The note is saved."))
                return redirect(subject_url(row))
    context = {"form": form, "row": row, "theirs": theirs, "back": subject_url(row), "kind": kind}
    return render(request, "annotations/note.html", context, status=status)


@require_POST
def tags(request: HttpRequest, kind: str, subject_id: int) -> HttpResponse:
    row, form = _row(kind, subject_id), TagsForm(request.POST)
    if form.is_valid():
        try:
            tags_set(kind=SubjectKind(kind), subject_id=subject_id, tags=tags_of_text(form.cleaned_data["tags"]))
        except ObjectDoesNotExist as error:
            raise Http404 from error
        except Conflict as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("The tags are saved."))
    else:
        messages.warning(request, " ".join(map(str, form.errors["tags"])))
    return redirect(subject_url(row))


@require_POST
def archive(request: HttpRequest, kind: str, subject_id: int, action: str) -> HttpResponse:
    row = _row(kind, subject_id)
    try:
        archive_set(kind=SubjectKind(kind), subject_id=subject_id, archived=action == "archive")
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        said = (
            _("%(name)s is archived: it is left out of lists, and nothing of it is lost.")
            if action == "archive"
            else _("%(name)s is in the lists again.")
        )
        messages.success(request, said % {"name": row})
    return redirect(subject_url(row))


def _row(kind: str, subject_id: int) -> Annotatable:
    try:
        return ANNOTATABLE[SubjectKind(kind)]._default_manager.get(pk=subject_id)
    except ObjectDoesNotExist as error:
        raise Http404(_("It was deleted.")) from error
