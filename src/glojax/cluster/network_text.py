"""A network as text, on its way to workers.

Classes and functions of modules go by their names, which workers import. Those of `__main__` or of a file that is named
as file.py:NAME go as code, which cloudpickle writes and reads, and so do lambdas and local functions and classes.
"""

import base64
import pickle
import socket
import sys

import cloudpickle

from glojax.networks import NetworkFactory, network_name
from glojax.training.named_functions import calling


def network_text(network: NetworkFactory) -> str:
    """Return a network as text; raise ConfigurationError for what cloudpickle cannot write."""
    files = [module for path, module in sys.modules.items() if path.endswith(".py")]
    for module in files:
        cloudpickle.register_pickle_by_value(module)
    try:
        with calling(
            f"The network {network_name(network)} cannot be sent to a cluster",
            "; make it of functions, classes and arrays.",
        ):
            return base64.b64encode(cloudpickle.dumps(network)).decode()
    finally:
        for module in files:
            cloudpickle.unregister_pickle_by_value(module)


def network_of_text(text: str) -> NetworkFactory:
    """Return the network of a text; raise ConfigurationError where this process lacks a module that it needs."""
    with calling(f"The network cannot be made on {socket.gethostname()}", "; bring there what it needs."):
        network: NetworkFactory = pickle.loads(base64.b64decode(text))
        return network
