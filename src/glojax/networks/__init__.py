"""Flax networks, on layers that are fast inside a training loop."""

from glojax.networks.digits_cnn import DigitsCNN
from glojax.networks.mnist_cnn import MnistCNN
from glojax.networks.network import NETWORKS, Network, NetworkFactory

__all__ = ["NETWORKS", "DigitsCNN", "MnistCNN", "Network", "NetworkFactory"]
