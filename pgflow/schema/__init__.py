"""What the revisions of the schema are made of."""

__all__: list[str] = []
