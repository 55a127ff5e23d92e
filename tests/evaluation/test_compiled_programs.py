"""Compiled programs that are kept between runs."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from glojax.evaluation import set_up_jax

SETTINGS = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A cache of programs of its own."""
    before = {name: jax.config.values[name] for name in SETTINGS}
    for name, value in zip(SETTINGS, (str(tmp_path), 0.0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        set_up_jax()
        yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def in_a_new_process(factor: float) -> None:
    """Compile, or read from the cache, as a process does that has compiled nothing yet."""

    def some_program(x: jax.Array) -> jax.Array:
        return jnp.sin(x) * factor

    def another_program(x: jax.Array) -> jax.Array:
        return jnp.cos(x) * factor

    for program in (some_program, another_program):
        jax.jit(program)(jnp.ones(3))


def programs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("jit_*_program-*-cache")}


@pytest.mark.parametrize("length", [0, 100])
def test_a_program_that_was_cut_off_is_written_again(folder: Path, length: int) -> None:
    in_a_new_process(2.0)
    whole = programs(folder)
    some, another = sorted(folder.glob("jit_*_program-*-cache"), key=lambda path: "another" in path.name)
    some.write_bytes(whole[some.name][:length])
    untouched = another.stat()
    in_a_new_process(2.0)
    assert set(programs(folder)) == set(whole)
    assert len(some.read_bytes()) > length
    assert (another.stat().st_ino, another.stat().st_mtime_ns) == (untouched.st_ino, untouched.st_mtime_ns)
    mended = some.stat().st_mtime_ns
    in_a_new_process(2.0)  # is read, and not written, this time
    assert some.stat().st_mtime_ns == mended


def test_other_warnings_are_shown(folder: Path) -> None:
    with pytest.warns(UserWarning, match="another matter"):
        warnings.warn("another matter", stacklevel=1)
