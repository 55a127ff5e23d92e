"""The networks, losses and augmentation in PyTorch."""

from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks.workloads import NUM_CLASSES
from glojax.expressions import LossTree, Node

#: Of logits [B, C] and labels [B] the mean loss of the batch.
TorchLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

OPERATIONS: dict[str, Callable[..., torch.Tensor]] = {
    "log": torch.log,
    "square": torch.square,
    "sqrt": torch.sqrt,
    "add": torch.add,
    "subtract": torch.subtract,
    "multiply": torch.multiply,
    "divide": torch.divide,
}


def torch_loss(tree: LossTree) -> TorchLoss:
    """Return a tree as a chain of PyTorch's operations, as a loss is written by hand."""

    def loss_fn(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        probs = torch.softmax(logits, dim=-1).clamp(1e-7, 1)
        leaves = {"x": nn.functional.one_hot(labels, NUM_CLASSES).to(probs.dtype), "y": probs}

        def value(node: Node, *operands: torch.Tensor) -> torch.Tensor:
            if operands:
                result = OPERATIONS[node.operator](*operands)
            else:
                result = leaves[node.operator] if node.operator in leaves else torch.full_like(probs, node.value)
            return result if node.coefficient == 1 else result * node.coefficient

        return -tree.fold(value).sum(dim=-1).mean()

    return loss_fn


def torch_network(network: str) -> nn.Sequential:
    """Return the network of a workload."""
    if network == "digits":
        return _small_network(3, (16, 32), 64, side=8, dropout=0.0)
    if network == "mnist":
        return _small_network(5, (32, 64), 1024, side=28, dropout=0.4)
    return _cifar_network()


def _small_network(kernel: int, channels: tuple[int, int], hidden: int, side: int, dropout: float) -> nn.Sequential:
    first, second = channels
    return nn.Sequential(
        nn.Conv2d(1, first, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * (side // 4) ** 2, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, 10),
    )


def _cifar_network() -> nn.Sequential:
    # PyTorch's alpha weighs the mean over the 9 channels, not their sum.
    norm = nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)
    # From 24 to 12 to 6 pixels a side: the windows reach over the end, which is "SAME".
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(
        nn.Conv2d(3, 64, 5, padding=2),
        nn.ReLU(),
        pool,
        norm,
        nn.Conv2d(64, 64, 5, padding=2),
        nn.ReLU(),
        norm,
        pool,
        nn.Flatten(),
        nn.Linear(6 * 6 * 64, 384),
        nn.ReLU(),
        nn.Linear(384, 192),
        nn.Linear(192, 10),
    )


def layers(model: nn.Module) -> Iterator[tuple[nn.Parameter, nn.Parameter, tuple[int, ...]]]:
    """Return weights and bias of each layer that has them, and the shape [Cout, Cin, KH, KW] of the weights.

    The first dense layer is a convolution whose kernel is as large as the image: glojax and PyTorch have the pixels and
    channels that it takes in different orders.
    """
    channels = 0
    for layer in model.children():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        weight, bias = layer.parameters()
        if isinstance(layer, nn.Conv2d):
            channels = layer.out_channels
            yield weight, bias, tuple(weight.shape)
        else:
            channels = channels or layer.in_features
            side = round((layer.in_features / channels) ** 0.5)
            yield weight, bias, (layer.out_features, channels, side, side)
            channels = 0


def decayed_names(model: nn.Module) -> set[str]:
    """Return the names of the parameters with weight decay: the weights of all dense layers except the last."""
    dense = [name for name, layer in model.named_children() if isinstance(layer, nn.Linear)]
    return {f"{name}.weight" for name in dense[:-1]}


def augmented(images: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Augment a batch as `glojax.training.augmentation` does with "cifar", all images at once."""
    B, size, here = len(indices), 24, images.device
    top, left = torch.randint(0, 32 - size + 1, (2, B, 1), device=here)
    flipped = torch.rand(B, 1, device=here) < 0.5
    pixels = torch.arange(size, device=here)
    rows, columns = top + pixels, left + torch.where(flipped, size - 1 - pixels, pixels)
    channels = torch.arange(3, device=here)[:, None, None]
    batch = images[indices[:, None, None, None], channels, rows[:, None, :, None], columns[:, None, None, :]]
    batch = batch.float() / 255 + (2 * torch.rand(B, 1, 1, 1, device=here) - 1) * 63 / 255
    means = batch.mean(dim=(2, 3), keepdim=True)
    batch = (batch - means) * (0.2 + 1.6 * torch.rand(B, 1, 1, 1, device=here)) + means
    deviation, mean = torch.std_mean(batch, dim=(1, 2, 3), keepdim=True, correction=0)
    standardised = (batch - mean) / deviation.clamp_min(batch[0].numel() ** -0.5)
    # Its convolutions are faster in this layout.
    return standardised.contiguous(memory_format=torch.channels_last)
