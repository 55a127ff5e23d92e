"""The one family of exceptions that glojax raises for a user's mistake.

Every message says what came, what was expected and what to do; the command line prints it as one line and exits with 2.
"""


class GlojaxError(Exception):
    """Base of every error that glojax raises on purpose."""


class ExpressionError(GlojaxError):
    """A loss expression is not valid, or is larger than allowed."""


class ConfigurationError(GlojaxError):
    """An option or a combination of options makes no sense."""


class DatasetError(GlojaxError):
    """A data set is unknown, missing, or not what its name says."""


class RunDirectoryError(GlojaxError):
    """A run directory cannot be used."""


class ClusterError(GlojaxError):
    """A cluster cannot be reached, or cannot do what is asked of it."""
