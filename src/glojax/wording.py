"""Numbers of things in words."""


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number with its noun, whose plural is that with an s unless given.

    Examples:
        >>> counted(1, "loss", "losses"), counted(2000, "step")
        ('1 loss', '2,000 steps')
    """
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
