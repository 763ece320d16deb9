"""What ``manage.py`` looks for commands in."""

__all__: list[str] = []
