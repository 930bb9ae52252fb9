from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from webapp.forms.accounts import WelcomeForm
from webapp.services.accounts import account_claim, signin_link_user


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Let the holder of a one-time link choose a user name and password, and sign them in."""
    user = signin_link_user(uid=uid, token=token)
    if user is None:
        return render(request, "accounts/link_dead.html", status=410)
    form = WelcomeForm(request.POST or None, initial={"username": user.username})
    if form.is_valid():
        try:
            claimed = account_claim(uid=uid, token=token, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            if claimed is None:
                return render(request, "accounts/link_dead.html", status=410)
            login(request, claimed)
            messages.success(request, f"Welcome, {claimed.username}. From now on, sign in with the password you chose.")
            return redirect("home")
    return render(request, "accounts/welcome.html", {"form": form}, status=400 if form.errors else 200)
