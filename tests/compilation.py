"""How XLA compiles what the tests run: in half the time, with its older emitters and few of LLVM's passes.

With `XLA_FLAGS=` in the environment of pytest, everything is compiled as for users. jaxlib 0.11 has no older emitters.
"""

import os
from importlib.metadata import version

_HAS_OLDER_EMITTERS = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)

FLAGS = os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false" if _HAS_OLDER_EMITTERS else "",
)
