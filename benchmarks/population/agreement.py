"""A check that the networks of all frameworks are the same function, with the same gradients.

It computes products in float32: with TF32, which GPUs use by default, equal networks differ by more than `TOLERANCE`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks.population.flax_networks import plain_network
from benchmarks.workloads import WORKLOADS, loss_trees
from glojax.losses import make_loss
from glojax.training.augmentation import augmented_shape

#: The largest difference between two frameworks, over the largest value of each array of logits or gradients.
TOLERANCE = 1e-4

NUM_IMAGES = 32

#: "logits" and "gradient of LAYER.kernel" or ".bias", in glojax's shapes.
Arrays = dict[str, np.ndarray]


def check_flax(network: str) -> None:
    """Give the plain Flax network glojax's parameters, and compare logits and gradients on JAX's default device.

    Raises:
        RuntimeError: Logits, or gradients of a loss, differ by more than rounding.
    """
    params = _params(network)
    graphdef, plain_params = nnx.split(plain_network(network, nnx.Rngs(0)))
    nnx.replace_by_pure_dict(plain_params, nnx.to_pure_dict(params))
    _require_agreement(network, "plain Flax", _jax_arrays(network, graphdef, plain_params))


def check_torch(network: str, device: str) -> None:
    """Do the same for the PyTorch network on a device of PyTorch: "cpu" or "cuda"."""
    import torch

    from benchmarks.population.torch_networks import layers, torch_loss, torch_network
    from benchmarks.population.torch_precision import float32_products

    images, labels = _batch(network)
    params = _params(network)
    model = torch_network(network).to(device)
    named = list(zip(WORKLOADS[network].parameters, layers(model), strict=True))
    with torch.no_grad():
        for name, (weight, bias, (Cout, Cin, KH, KW)) in named:
            kernel = np.array(params[name]["kernel"][...]).reshape(KH, KW, Cin, Cout).transpose(3, 2, 0, 1)
            weight.copy_(torch.tensor(kernel.reshape(weight.shape)))
            bias.copy_(torch.tensor(np.array(params[name]["bias"][...])))
    model.eval()
    with float32_products():
        logits = model(torch.tensor(images.transpose(0, 3, 1, 2).copy(), device=device))
        torch_loss(loss_trees(1)[0])(logits, torch.tensor(labels, device=device)).backward()
    theirs = {"logits": logits.detach().cpu().numpy()}
    for name, (weight, bias, shape) in named:
        assert weight.grad is not None
        assert bias.grad is not None
        theirs[f"gradient of {name}.kernel"] = weight.grad.cpu().numpy().reshape(shape).transpose(2, 3, 1, 0)
        theirs[f"gradient of {name}.bias"] = bias.grad.cpu().numpy()
    _require_agreement(network, "PyTorch", theirs)


def _require_agreement(network: str, framework: str, theirs: Arrays) -> None:
    for what, expected in _own_arrays(network).items():
        difference = np.abs(theirs[what].ravel() - expected.ravel()).max() / np.abs(expected).max()
        if not difference <= TOLERANCE:
            raise RuntimeError(
                f"{what} of the {network} network differ between glojax and {framework} by {difference:.1e}; expected "
                f"at most {TOLERANCE:.0e} of the largest value"
            )


@cache
def _own_arrays(network: str) -> Arrays:
    graphdef, params = nnx.split(WORKLOADS[network].network(nnx.Rngs(0)))
    return _jax_arrays(network, graphdef, params)


def _jax_arrays(network: str, graphdef: Any, params: Any) -> Arrays:
    images, labels = _batch(network)
    loss_fn = make_loss(loss_trees(1)[0])

    def batch_loss(params: Any) -> tuple[jax.Array, jax.Array]:
        forward: Callable[[jax.Array], jax.Array] = nnx.merge(graphdef, params)
        logits = forward(jnp.asarray(images))
        return loss_fn(logits, jnp.asarray(labels)).mean(), logits

    with jax.default_matmul_precision("highest"):
        gradients, logits = jax.jit(jax.grad(batch_loss, has_aux=True))(params)
    arrays = {"logits": np.asarray(logits)}
    for name in WORKLOADS[network].parameters:
        for part in ("kernel", "bias"):
            arrays[f"gradient of {name}.{part}"] = np.asarray(gradients[name][part][...])
    return arrays


def _params(network: str) -> Any:
    return nnx.split(WORKLOADS[network].network(nnx.Rngs(0)))[1]


def _batch(network: str) -> tuple[np.ndarray, np.ndarray]:
    workload = WORKLOADS[network]
    input_shape = augmented_shape(workload.config.augmentation, workload.input_shape)
    rng = np.random.default_rng(0)
    return rng.normal(size=(NUM_IMAGES, *input_shape)).astype(np.float32), rng.integers(0, 10, NUM_IMAGES)
