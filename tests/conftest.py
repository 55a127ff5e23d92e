"""JAX as every test sees it: four virtual CPU devices, and no implicit change of dtype; and fixtures for all."""

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from hypothesis import settings

from tests import compilation  # noqa: F401  # before JAX starts

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Programs that were compiled once serve all tests and the processes that they start. The user's folder stays as it is.
# Several processes that share the tests share it, too; the first one makes and removes it.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="glojax-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
jax.config.update("jax_compilation_cache_dir", str(Path(os.environ["XDG_CACHE_HOME"]) / "glojax" / "compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"  # in the processes that tests start

# Traced programs are many small objects, most of them in use: to look through them often costs a twentieth of all time.
gc.set_threshold(50_000, 20, 100)

# A busy machine is no fault of what is tested. Before a change lands, the examples of properties are the same each
# time: what is drawn once in a thousand runs, and was always there, is no fault of that change.
settings.register_profile("any machine", deadline=None, derandomize="GLOJAX_FIXED_EXAMPLES" in os.environ)
settings.load_profile("any machine")

# A shell's background job ignores interruptions, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """Folder with the four original MNIST files."""
    folder = os.environ.get("GLOJAX_DATA_DIR")
    if not folder:
        pytest.skip("GLOJAX_DATA_DIR is not set: it names the folder that holds mnist/ with the four original files")
    return Path(folder) / "mnist"


@pytest.fixture
def low_recursion_limit() -> Iterator[None]:
    """A few hundred calls deeper than here, Python stops."""
    depth, frame = 0, sys._getframe()
    while frame.f_back:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 200)
    yield
    sys.setrecursionlimit(limit)
