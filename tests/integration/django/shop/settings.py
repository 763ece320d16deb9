"""The settings of a project as its owner would write them, on the server of the test run."""

import os

from psycopg.conninfo import conninfo_to_dict

_server = conninfo_to_dict(os.environ.get("PGFLOW_TEST_DSN", ""))

SECRET_KEY = "no secret"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "Europe/Athens"
ROOT_URLCONF = "tests.integration.django.shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "pgflow.contrib.django",
    "tests.integration.django.shop.orders",
]

MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": os.environ.get("SHOP_ENGINE", "django.db.backends.postgresql"),
        "NAME": os.environ.get("SHOP_DATABASE", "postgres"),
        "HOST": _server.get("host", ""),
        "PORT": _server.get("port", ""),
        "USER": _server.get("user", ""),
        "PASSWORD": _server.get("password", ""),
        "ATOMIC_REQUESTS": os.environ.get("SHOP_ATOMIC_REQUESTS") == "yes",
        "CONN_MAX_AGE": None if os.environ.get("SHOP_KEEP_CONNECTIONS") == "yes" else 0,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": os.environ.get("SHOP_TEST_DATABASE")},
    },
    "archive": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}

PGFLOW = {"MIGRATE": os.environ.get("SHOP_PGFLOW_MIGRATE") != "no"}
