from __future__ import annotations

from webapp.api import api, recommend

api.add_router("/models", recommend.router)

urlpatterns = api.url_patterns()
