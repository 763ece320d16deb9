"""pgflow as an application of a Django project.

``INSTALLED_APPS = [..., "pgflow.contrib.django"]``, and what may be set is in `pgflow.contrib.django.conf`.
"""

from pgflow.contrib.django.client import get_client
from pgflow.contrib.django.streaming import stream_run
from pgflow.contrib.django.worker import DjangoWorker

__all__ = ["DjangoWorker", "get_client", "stream_run"]
