"""The precision of PyTorch's products on a GPU: matrix products and convolutions have a switch each."""

import contextlib
from collections.abc import Iterator

import torch


def set_precision(precision: str) -> None:
    """Compute products of float32 tensors in "tf32" or "float32" from now on.

    Raises:
        ValueError: The precision is another one.
    """
    if precision not in ("tf32", "float32"):
        raise ValueError(f'the precision is {precision!r}; expected "tf32" or "float32"')
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


@contextlib.contextmanager
def float32_products() -> Iterator[None]:
    """Compute products in float32 within the context, and as before after it."""
    of_matrices, of_convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    set_precision("float32")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(of_matrices)
        torch.backends.cudnn.allow_tf32 = of_convolutions
