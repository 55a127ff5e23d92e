"""How XLA compiles what the tests run: in half the time, with its older emitters and without LLVM's optimizations.

With `XLA_FLAGS=` in the environment of pytest, everything is compiled as for users. jaxlib 0.11 has no older emitters.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import jax

_HAS_OLDER_EMITTERS = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)

FLAGS = os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0" + " --xla_cpu_use_fusion_emitters=false" * _HAS_OLDER_EMITTERS,
)


@contextmanager
def counted_compilations() -> Iterator[list[str]]:
    """Return a list to which each compilation adds the name of its function."""
    compilations: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compilations.append(str(kwargs.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield compilations
    jax.monitoring.unregister_event_duration_listener(listen)
