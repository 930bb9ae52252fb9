from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from webapp.views import accounts, health, home

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", LoginView.as_view(template_name="accounts/login.html", redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("welcome/<uid>/<token>/", accounts.welcome, name="welcome"),
    path("healthz", health.healthz, name="healthz"),
]
