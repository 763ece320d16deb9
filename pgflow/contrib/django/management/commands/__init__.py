"""The commands of ``manage.py``, by the names of their modules."""

__all__: list[str] = []
