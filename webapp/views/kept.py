"""Forms that outlive a session: what was typed comes back after the login, to be looked over and sent again.

An anonymous POST of such a form is answered by the login page, which carries the form's content along; nothing of it is stored
before somebody has signed in, and nothing of it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.csrf import csrf_failure as csrf_failure_page

KEPT = "kept_form"
"""Of the session: the address of a form, and its content as a query string."""
MOST = 300_000
"""Characters of a content that is kept."""

View = Callable[..., HttpResponse]


def keeps_form(view: View) -> View:
    """Let what is sent to ``view`` without a session come back after the login."""

    @login_not_required
    @wraps(view)
    def kept(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.method != "POST":
            return redirect_to_login(request.get_full_path())
        return _sign_in_first(request, content_of(request))

    kept.keeps_form = True  # type: ignore[attr-defined]
    return kept


def fragment_of_form(view: View) -> View:
    """Let a part of a form that is fetched while it is filled in stay as it is without a session; sending the form asks for the login."""

    @login_not_required
    @wraps(view)
    def fragment(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=401)  # htmx leaves the page alone
        return redirect_to_login(request.get_full_path())

    return fragment


def _sign_in_first(request: HttpRequest, content: str) -> HttpResponse:
    context = {"form": AuthenticationForm(request), "next": request.get_full_path(), "kept": content}
    return render(request, "accounts/login.html", context)


def content_of(request: HttpRequest) -> str:
    """What a form has sent, as a query string; empty where it is too long to keep."""
    data = request.POST.copy()
    data.pop("csrfmiddlewaretoken", None)
    text: str = data.urlencode()
    return text if len(text) <= MOST else ""


def form_kept(request: HttpRequest) -> QueryDict | None:
    """What was typed into the form at this address before the login, once; tells the person so."""
    kept = request.session.get(KEPT)
    if not kept or kept["address"] != request.get_full_path():
        return None
    del request.session[KEPT]
    messages.info(request, _("What you typed is kept, and nothing was sent. Look it over and send it again."))
    return QueryDict(kept["content"])


@method_decorator(login_not_required, name="dispatch")
class SignIn(LoginView):
    """The login page, which hands on the content of a form that it interrupts."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        content = request.POST.get("kept", "")
        if content and len(content) <= MOST and request.user.is_authenticated:
            request.session[KEPT] = {"address": self.get_redirect_url(), "content": content}
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"kept": self.request.POST.get("kept", "")[:MOST]}


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Show a form again that was open while the person signed in or out elsewhere; for anything else, say what happened."""
    try:
        keeps = getattr(resolve(request.path_info).func, "keeps_form", False)
    except Resolver404:
        keeps = False
    content = content_of(request) if keeps else ""
    if not content:
        return csrf_failure_page(request, reason)
    if not request.user.is_authenticated:
        return _sign_in_first(request, content)
    request.session[KEPT] = {"address": request.get_full_path(), "content": content}
    return redirect(request.get_full_path())
