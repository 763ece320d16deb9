"""What web frameworks need: `pgflow.contrib.flask`, `pgflow.contrib.django`, and a stream of events for browsers.

Nothing here is imported unless it is used, and no framework by anything else.
"""

__all__: list[str] = []
