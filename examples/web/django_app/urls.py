"""The addresses of the Django application."""

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import path

from web.django_app import views

urlpatterns = [
    path("", views.form, name="form"),
    path("runs/<uuid:run_id>", views.live, name="live"),
    path("runs/<uuid:run_id>/events", views.events, name="events"),
    path("runs/<uuid:run_id>/retries", views.retries, name="retries"),
    path("runs/<uuid:run_id>/result", views.result, name="result"),
    path("admin/", admin.site.urls),
    # In production a web server does this, or WhiteNoise.
    path("static/<path:path>", serve, {"insecure": True}),
]
