"""Placeholder until the room has it."""

from glojax.training.train import Train


def computation_identity(train: Train) -> str:
    """Placeholder."""
    return "placeholder"


def decisive_settings() -> dict[str, str]:
    """Placeholder."""
    return {}
