from __future__ import annotations

from webapp.api import api

urlpatterns = api.url_patterns()
