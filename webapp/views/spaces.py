from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gnn.catalogue import PRESETS, preset_space
from gnn.errors import SpaceError
from gnn.space import SearchSpace
from webapp.forms.spaces import SpaceForm, presets, space_text
from webapp.models import Space
from webapp.selectors.spaces import space_rows, space_version, spaces_page
from webapp.services.spaces import space_create, space_delete, space_update
from webapp.views.paging import page_numbers, search_text


@require_safe
def space_list(request: HttpRequest) -> HttpResponse:
    text = search_text(request)
    page = spaces_page(text=text, page=request.GET.get("page", 1))
    context = {"page": page, "rows": space_rows(page), "q": text, "presets": presets(), "page_numbers": page_numbers(page)}
    return render(request, "spaces/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def space_new(request: HttpRequest) -> HttpResponse:
    """Build a space, starting from a preset (``?preset=``) or a saved one (``?copy=``)."""
    if request.method == "POST":
        form = SpaceForm(request.POST)
        if form.is_valid() and form.space is not None:
            try:
                space = space_create(
                    owner=request.user if request.user.is_authenticated else None, name=form.cleaned_data["name"], space=form.space
                )
            except SpaceError as error:
                form.add_error("name", str(error))
            else:
                messages.success(request, f"Space '{space.name}' is saved.")
                return redirect("spaces")
    elif request.GET.get("copy", "").isdecimal():
        copied = space_version(int(request.GET["copy"][:18]))
        if copied is None:
            raise Http404("There is no such space.")
        form = SpaceForm.showing(SearchSpace.from_json(copied.document))
    else:
        preset = request.GET.get("preset", "")
        form = SpaceForm.showing(preset_space(preset if preset in PRESETS else "demo"))
    return render(request, "spaces/edit.html", {"form": form, "presets": presets()})


@require_http_methods(["GET", "HEAD", "POST"])
def space_edit(request: HttpRequest, space_id: int) -> HttpResponse:
    space = get_object_or_404(Space, pk=space_id)
    if request.method == "POST":
        form = SpaceForm(request.POST)
        if form.is_valid() and form.space is not None:
            try:
                space_update(space_id=space.pk, name=form.cleaned_data["name"], space=form.space)
            except SpaceError as error:
                form.add_error("name", str(error))
            else:
                messages.success(request, f"Space '{form.cleaned_data['name']}' is saved. Searches that ran with it keep their copy.")
                return redirect("spaces")
    else:
        form = SpaceForm.showing(SearchSpace.from_json(space.versions.latest("number").document), name=space.name)
    return render(request, "spaces/edit.html", {"form": form, "space": space, "presets": presets()})


@require_POST
def space_size(request: HttpRequest) -> HttpResponse:
    """The size of the space being edited, and its errors, as a fragment; saves nothing."""
    form = SpaceForm(request.POST)
    form.is_valid()
    document = space_text(form.space) if form.space is not None and request.POST.get("source") != "text" else None
    return render(request, "spaces/size.html", {"form": form, "document": document})


@require_POST
def space_remove(request: HttpRequest, space_id: int) -> HttpResponse:
    space = get_object_or_404(Space, pk=space_id)
    space_delete(space_id=space.pk)
    messages.success(request, f"Space '{space.name}' is deleted. Searches that ran with it keep their copy.")
    return redirect("spaces")
