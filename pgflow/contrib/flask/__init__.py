"""Flask: a client for each application, a response that streams a run's events, and the commands of ``pgflow``."""

from pgflow.contrib.flask.extension import Pgflow, current_client
from pgflow.contrib.flask.streaming import stream_run

__all__ = ["Pgflow", "current_client", "stream_run"]
