"""Flax networks, on layers that are fast inside a training loop."""

from glojax.networks.cifar_cnn import CifarCNN
from glojax.networks.digits_cnn import DigitsCNN
from glojax.networks.layers import ConvolutionBlock, dense
from glojax.networks.mnist_cnn import MnistCNN
from glojax.networks.ops.lowering import ConvolutionLowering, lowered_convolutions
from glojax.networks.parameters import DecayedParam
from glojax.networks.pure_network import NetworkFactory, PureNetwork
from glojax.networks.registry import NETWORKS
from glojax.networks.small_cnn import SmallCNN

__all__ = [
    "NETWORKS",
    "CifarCNN",
    "ConvolutionBlock",
    "ConvolutionLowering",
    "DecayedParam",
    "DigitsCNN",
    "MnistCNN",
    "NetworkFactory",
    "PureNetwork",
    "SmallCNN",
    "dense",
    "lowered_convolutions",
]
