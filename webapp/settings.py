"""Django settings, read from the environment; README's configuration table lists every variable."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from webapp.embedded import home_folder, sockets_folder

BASE_DIR = Path(__file__).resolve().parent.parent


def env_text(name: str, default: str | None = None) -> str:
    """The variable, or the content of the file that ``<name>_FILE`` names, or the default."""
    if file := os.environ.get(f"{name}_FILE"):
        return Path(file).read_text().strip()
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. Start through `python manage.py up`, which provides it, or set it.")
    return value


def env_int(name: str, default: int, *, minimum: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        value = int(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, but is {text!r}.") from error
    if value < minimum:
        raise ImproperlyConfigured(f"{name} must be at least {minimum}, but is {value}.")
    return value


def env_bool(name: str, default: bool) -> bool:
    text = os.environ.get(name, str(default)).lower()
    if text not in ("true", "false", "1", "0"):
        raise ImproperlyConfigured(f"{name} must be true or false, but is {text!r}.")
    return text in ("true", "1")


DEBUG = env_bool("DEBUG", False)
SECRET_KEY = env_text("SECRET_KEY")
ALLOWED_HOSTS = env_text("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in env_text("CSRF_TRUSTED_ORIGINS", "").split(",") if origin]

DATABASES = {"default": dj_database_url.parse(env_text("DATABASE_URL"), conn_max_age=60, conn_health_checks=True)}
REDIS_URL = env_text("REDIS_URL")

RECSMITH_SCORING = env_text("RECSMITH_SCORING", f"unix:{sockets_folder(home_folder()) / 'scoring.sock'}")
"""Where the scoring process answers: ``unix:<path>``, or ``<host>:<port>`` in a network that nobody else is in."""
RECSMITH_RATE_LIMIT = env_int("RECSMITH_RATE_LIMIT", 1000, minimum=1)
"""Requests for recommendations that one token may make in a second."""

RECSMITH_WORKERS = env_int("RECSMITH_WORKERS", min(2, os.cpu_count() or 1), minimum=1)
RECSMITH_THREADS = env_int("RECSMITH_THREADS", max(1, (os.cpu_count() or 1) // RECSMITH_WORKERS), minimum=1)
RECSMITH_UPLOAD_LIMIT_MB = env_int("RECSMITH_UPLOAD_LIMIT_MB", 2048, minimum=1)
RECSMITH_OPEN_UPLOADS = env_int("RECSMITH_OPEN_UPLOADS", 10, minimum=1)
"""Unfinished uploads that one person may have."""
RECSMITH_UPLOAD_KEEP_HOURS = env_int("RECSMITH_UPLOAD_KEEP_HOURS", 24, minimum=1)
"""An upload that nobody goes on with is dropped after this."""
RECSMITH_DECOMPRESS_LIMIT_MB = env_int("RECSMITH_DECOMPRESS_LIMIT_MB", 10_000, minimum=1)
RECSMITH_DECOMPRESS_RATIO = env_int("RECSMITH_DECOMPRESS_RATIO", 200, minimum=1)
"""How much a compressed upload may hold, and how many times its own size."""
RECSMITH_LEASE_SECONDS = env_int("RECSMITH_LEASE_SECONDS", 60, minimum=2)
"""How long a silent worker keeps its trial before another may take it."""
RECSMITH_TRIAL_LIMIT_SECONDS = env_int("RECSMITH_TRIAL_LIMIT_SECONDS", 6 * 3600, minimum=1)
"""How long one attempt at a trial, baseline, finalist or model may take before it fails."""
RECSMITH_CONTROL_LIMIT_SECONDS = env_int("RECSMITH_CONTROL_LIMIT_SECONDS", 3600, minimum=1)
"""The same for a task of the control queue; the longest of these reads an uploaded dataset."""

# Celery spells a Unix socket differently from the Redis clients.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker however long that takes
# A task is not interrupted when the broker goes away: what it writes goes to the database.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# A redelivered message is harmless: the claim is a conditional UPDATE. A long timeout only avoids the noise.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 6 * 3600}
CELERY_BEAT_SCHEDULE = {
    # The message does not expire: that would go by the clock of the worker, and one that is fast would never reap.
    "reap": {"task": "recsmith.reap", "schedule": max(1.0, RECSMITH_LEASE_SECONDS / 4), "options": {"queue": "control"}},
}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "webapp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "webapp.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "webapp.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ],
        },
    }
]

LOGIN_URL = "login"
CSRF_FAILURE_VIEW = "webapp.views.kept.csrf_failure"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "webapp.blobs.PostgresStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Uploads stream to a temporary file, never to memory, and not beyond the limit.
FILE_UPLOAD_HANDLERS = ["webapp.uploads.LimitedUploadHandler"]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
"""Each named in itself, for the menu."""
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
