"""Networks: those that are shipped, and those of any framework as pure functions."""

from collections.abc import Callable
from typing import Any

from glojax.networks.cifar_cnn import CifarCNN as CifarCNN
from glojax.networks.digits_cnn import DigitsCNN as DigitsCNN
from glojax.networks.functions import from_functions as from_functions, with_output as with_output
from glojax.networks.layers import ConvolutionBlock as ConvolutionBlock, DecayedParam as DecayedParam, dense as dense
from glojax.networks.mnist_cnn import MnistCNN as MnistCNN
from glojax.networks.ops.lowering import (
    ConvolutionLowering as ConvolutionLowering,
    Precision as Precision,
    default_lowering as default_lowering,
    lowered_convolutions as lowered_convolutions,
)
from glojax.networks.pure_network import (
    NetworkFactory as NetworkFactory,
    PureNetwork as PureNetwork,
    network_name as network_name,
)
from glojax.networks.small_cnn import SmallCNN as SmallCNN
from glojax.networks.small_fcn import SmallFCN as SmallFCN
from glojax.networks.small_mlp import SmallMLP as SmallMLP

#: The built-in networks by name.
NETWORKS: dict[str, Callable[..., Any]] = {
    network.__name__: network for network in (DigitsCNN, MnistCNN, CifarCNN, SmallCNN, SmallMLP, SmallFCN)
}
