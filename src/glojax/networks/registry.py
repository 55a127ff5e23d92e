"""The built-in networks by name."""

from glojax.networks.cifar_cnn import CifarCNN
from glojax.networks.digits_cnn import DigitsCNN
from glojax.networks.mnist_cnn import MnistCNN
from glojax.networks.pure_network import NetworkFactory
from glojax.networks.small_cnn import SmallCNN

NETWORKS: dict[str, NetworkFactory] = {
    "DigitsCNN": DigitsCNN,
    "MnistCNN": MnistCNN,
    "CifarCNN": CifarCNN,
    "SmallCNN": SmallCNN,
}
