"""The engine as Python calls it: the statements, a method for each function, the connections."""

__all__: list[str] = []
