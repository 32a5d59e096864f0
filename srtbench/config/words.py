"""Numbers in sentences."""


def counted(number: int, thing: str) -> str:
    """``1 row``, ``1,200 rows``."""
    return f"{number:,} {thing}{'s' * (number != 1)}"
