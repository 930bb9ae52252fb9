from __future__ import annotations

from django.urls import path

from webapp.views import health, home

urlpatterns = [
    path("", home.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
]
