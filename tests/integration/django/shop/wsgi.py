"""What Django makes for every project."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.integration.django.shop.settings")

application = get_wsgi_application()
