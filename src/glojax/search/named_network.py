"""Networks by their names on the command line."""

from glojax.errors import ConfigurationError, nearest
from glojax.networks import NETWORKS, NetworkFactory
from glojax.training.named_functions import import_object


def find_network(name: str) -> NetworkFactory:
    """Return the network of a name in `NETWORKS`, or of an import path."""
    if ":" in name:
        network: NetworkFactory = import_object(name)
        return network
    if name not in NETWORKS:
        raise ConfigurationError(
            f"Unknown network {name!r}.{nearest(name, NETWORKS)} Expected one of {', '.join(NETWORKS)}, or an import "
            "path such as package.module:Class or file.py:Class."
        )
    return NETWORKS[name]
