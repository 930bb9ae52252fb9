from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from webapp.forms.tokens import TokenForm
from webapp.selectors.tokens import tokens_of
from webapp.services.errors import Conflict
from webapp.services.tokens import token_create, token_revoke


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """The tokens of the person signed in; the answer to the form that makes one is the only page with its secret."""
    owner, context, status = cast(User, request.user), dict[str, Any](), 200
    form = TokenForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            context["made"], context["secret"] = token_create(owner=owner, **form.token_fields())
        except Conflict as conflict:
            form.add_error(None, str(conflict))
        else:
            form, status = TokenForm(), 201
    return render(
        request, "accounts/tokens.html", context | {"form": form, "tokens": tokens_of(owner)}, status=422 if form.errors else status
    )


@require_POST
def token_remove(request: HttpRequest, token_id: int) -> HttpResponse:
    token_revoke(owner=cast(User, request.user), token_id=token_id)
    messages.success(request, _("The token is revoked. Programs that used it are refused from now on."))
    return redirect("tokens")
