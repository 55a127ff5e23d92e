"""JAX as every test sees it: four virtual CPU devices, and no implicit change of dtype."""

import os
import signal
from pathlib import Path

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# A shell's background job ignores interruptions, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """Folder with the four original MNIST files."""
    folder = os.environ.get("GLOJAX_DATA_DIR")
    if not folder:
        pytest.skip("GLOJAX_DATA_DIR is not set: it names the folder that holds mnist/ with the four original files")
    return Path(folder) / "mnist"
