from __future__ import annotations

import numpy as np
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gnn.catalogue import PRESETS, describe, preset_space
from gnn.errors import SpaceError
from gnn.space import SearchSpace
from gnn.space_changes import moved
from webapp.charts.architectures import draw_architecture
from webapp.forms.space_changes import change_rows
from webapp.forms.space_text import space_text
from webapp.forms.spaces import ChangesForm, PreviewForm, SpaceForm, presets
from webapp.models import Space, SpaceVersion
from webapp.selectors.costs import largest_costs, training_size, worker_rates
from webapp.selectors.spaces import space_rows, space_version, spaces_page, versions_listed
from webapp.services.errors import Conflict
from webapp.services.spaces import space_create, space_delete, space_update
from webapp.views.kept import form_kept, fragment_of_form, keeps_form
from webapp.views.listing import list_filter
from webapp.views.paging import page_numbers, search_text

VERSIONS_SHOWN = 50


@require_safe
def space_list(request: HttpRequest) -> HttpResponse:
    text = search_text(request)
    narrowed = list_filter(request, Space)
    page = spaces_page(text=text, page=request.GET.get("page", 1), tag=narrowed.tag, archived=narrowed.archived)
    context = {
        "page": page,
        "rows": space_rows(page),
        "q": text,
        "presets": presets(),
        "filter": narrowed,
        "page_numbers": page_numbers(page),
    }
    return render(request, "spaces/list.html", context)


@keeps_form
@require_http_methods(["GET", "HEAD", "POST"])
def space_new(request: HttpRequest) -> HttpResponse:
    """Build a space, starting from a preset (``?preset=``) or a version of a saved one (``?copy=ID`` or ``?copy=ID:NUMBER``)."""
    if request.method == "POST":
        form = SpaceForm(request.POST)
        if form.is_valid() and form.space is not None:
            try:
                owner = request.user if request.user.is_authenticated else None
                space = space_create(owner=owner, name=form.cleaned_data["name"], space=form.space)
            except SpaceError as error:
                form.add_error("name", str(error))
            else:
                messages.success(request, _("Space '%(name)s' is saved.") % {"name": space.name})
                return redirect("space", space.pk)
    elif (kept := form_kept(request)) is not None:
        form = SpaceForm(kept)
    elif copied := request.GET.get("copy"):
        form = SpaceForm.showing(SearchSpace.from_json(_version(*copied.partition(":")[::2]).document))
    else:
        preset = request.GET.get("preset", "")
        form = SpaceForm.showing(preset_space(preset if preset in PRESETS else "demo"))
    return render(request, "spaces/edit.html", {"form": form, "preview": PreviewForm(), "presets": presets()})


@keeps_form
@require_http_methods(["GET", "HEAD", "POST"])
def space_edit(request: HttpRequest, space_id: int) -> HttpResponse:
    """Change a saved space, starting from its newest version or another (``?version=``); what changed is saved as a new one."""
    space = get_object_or_404(Space, pk=space_id)
    versions = list(versions_listed(space.pk)[:VERSIONS_SHOWN])
    newest = shown = versions[0]
    if request.method == "POST":
        form = SpaceForm(request.POST)
        if form.is_valid() and form.space is not None:
            try:
                space_update(
                    space_id=space.pk,
                    name=form.cleaned_data["name"],
                    space=form.space,
                    author=request.user if request.user.is_authenticated else None,
                    seen=form.cleaned_data["seen"],
                )
            except SpaceError as error:
                form.add_error("name", str(error))
            except Conflict as error:
                form.see(newest.number)
                form.add_error(None, _("%(what)s Save again to keep yours as the next version.") % {"what": error})
            else:
                messages.success(request, _saved(form.cleaned_data["name"], newest, _version(str(space.pk))))
                return redirect("space", space.pk)
    elif (kept := form_kept(request)) is not None:
        form = SpaceForm(kept)
    else:
        if "version" in request.GET:
            shown = _version(str(space.pk), request.GET["version"])
        form = SpaceForm.showing(SearchSpace.from_json(shown.document), name=space.name, seen=newest.number)
    context = {"form": form, "space": space, "versions": versions, "newest": newest, "shown": shown}
    return render(request, "spaces/edit.html", context | {"preview": PreviewForm(), "presets": presets()})


@require_safe
def space_file(request: HttpRequest, space_id: int, number: int) -> HttpResponse:
    """A version of a saved space as a JSON file."""
    version = _version(str(space_id), str(number))
    response = HttpResponse(space_text(SearchSpace.from_json(version.document)), content_type="application/json")
    name = slugify(version.space.name)[:80] or "space"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{version.number}.json"'
    return response


@fragment_of_form
@require_POST
def space_size(request: HttpRequest) -> HttpResponse:
    """The size of the space being edited, and its errors, as a fragment; saves nothing."""
    form = SpaceForm(request.POST)
    form.is_valid()
    document = space_text(form.space) if form.space is not None and request.POST.get("source") != "text" else None
    return render(request, "spaces/size.html", {"form": form, "document": document})


@fragment_of_form
@require_POST
def space_preview(request: HttpRequest) -> HttpResponse:
    """A random architecture of the space being edited, and what its largest come to on a dataset, as a fragment; saves nothing."""
    form, preview = SpaceForm(request.POST), PreviewForm(request.POST)
    form.is_valid()
    preview.is_valid()
    context: dict[str, object] = {"form": form, "draw": preview.draw + 1}
    if form.space is not None:
        drawn = form.space.sample(np.random.default_rng(preview.draw))
        context |= {"drawing": draw_architecture(drawn), "words": describe(drawn), "choices": drawn.choices}
        if (dataset := preview.dataset) is not None and (size := training_size(dataset)) is not None:
            costs = largest_costs(form.space, size, worker_rates())
            context |= {"dataset": dataset, "costs": costs, "most": describe(costs.memory_of), "slowest": describe(costs.slowest)}
    return render(request, "spaces/preview.html", context)


@require_safe
def space_difference(request: HttpRequest) -> HttpResponse:
    """What one space or version (``?after=``) has and another (``?before=``) has not, and the other way round."""
    form = ChangesForm(request.GET.dict())
    context: dict[str, object] = {"form": form}
    if form.is_valid() and form.spaces is not None:
        before, after = form.spaces
        rows = change_rows(before, after)
        context |= {"before": before, "after": after, "rows": rows, "moved": moved(before, after)}
    return render(request, "spaces/changes.html", context)


@require_POST
def space_remove(request: HttpRequest, space_id: int) -> HttpResponse:
    space = get_object_or_404(Space, pk=space_id)
    space_delete(space_id=space.pk)
    messages.success(request, _("Space '%(name)s' is deleted. Searches that ran with it keep their copy.") % {"name": space.name})
    return redirect("spaces")


def _version(space_id: str, number: str = "") -> SpaceVersion:
    """A version of a saved space by what an address says of it, the newest without a number."""
    if all(text.isascii() and text.isdecimal() and len(text) < 10 for text in (space_id, number or "1")):
        version = space_version(int(space_id), int(number) if number else None)
        if version is not None:
            return version
    raise Http404(f"There is no version {number[:20]!r} of space {space_id[:20]!r}.")


def _saved(name: str, before: SpaceVersion, after: SpaceVersion) -> str:
    if before.number == after.number:
        return _("Space '%(name)s' is saved.") % {"name": name}
    return _("Space '%(name)s' is saved as version %(number)d. Searches that ran with an earlier one keep theirs.") % {
        "name": name,
        "number": after.number,
    }
