"""What a database says of itself to the people who look after it; everything here only reads."""

__all__: list[str] = []
