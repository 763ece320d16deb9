"""The settings of the Django application; the database is that of ``PGFLOW_DSN``."""

from __future__ import annotations

import os

from psycopg.conninfo import conninfo_to_dict

from web import pages

_dsn = conninfo_to_dict(os.environ.get("PGFLOW_DSN", ""))

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _dsn.get("dbname", "postgres"),
        "HOST": _dsn.get("host", ""),
        "PORT": _dsn.get("port", ""),
        "USER": _dsn.get("user", ""),
        "PASSWORD": _dsn.get("password", ""),
    }
}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "pgflow.contrib.django",
    "web.django_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [pages.TEMPLATES],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.request",
                "django.template.context_processors.static",
                "web.django_app.views.everywhere",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [pages.STATIC]
ROOT_URLCONF = "web.django_app.urls"
WSGI_APPLICATION = "web.django_app.wsgi.application"
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "an example's, which guards nothing")
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

HEARTBEAT_SECONDS = float(os.environ.get("HEARTBEAT_SECONDS", "15"))
WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "10"))
# Django's own way is a mail to the administrators, and silence.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
