from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

_django = get_wsgi_application()

# The API's tokens are a table, so this loads when Django is set up.
from webapp.api.recommend import tokens  # noqa: E402
from webapp.api.recommend_direct import RecommendDirectly  # noqa: E402

application = RecommendDirectly(_django, tokens)
