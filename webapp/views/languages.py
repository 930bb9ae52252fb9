"""The language of the pages: chosen by a cookie, open to all, since the login page has the choice too."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.views.decorators.cache import cache_control
from django.views.i18n import JavaScriptCatalog, set_language

language_set = login_not_required(set_language)
script_texts = login_not_required(cache_control(private=True, max_age=3600)(JavaScriptCatalog.as_view()))
