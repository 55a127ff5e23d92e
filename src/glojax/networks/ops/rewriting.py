"""Some operations of a function, computed in another way than it is written: its program is traced and evaluated."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun, jaxprs_in_params
from jax.extend.source_info_util import summarize

_log = logging.getLogger(__name__)

#: By the name of an operation, the function that computes it instead, of its operands and parameters. It returns None
#: where the operation is to stay as it is.
Rules = Mapping[str, Callable[..., jax.Array | None]]

_HERE = str(Path(__file__).parent)


def rewritten(function: Callable[..., Any], rules: Rules) -> Callable[..., Any]:
    """Return the function with these operations computed by the rules, also in inner functions, scans and branches.

    A function without any such operation is called as it is. Where a rule does not apply, in loops without a known end,
    and in functions with a derivative of their own, operations stay as they are, and a warning names them.
    """

    def call(*arguments: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        if not _has(closed.jaxpr, frozenset(rules)):
            return function(*arguments)
        results = _evaluate(closed.jaxpr, closed.consts, jax.tree.leaves(arguments), rules)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return call


def _has(jaxpr: Jaxpr, names: frozenset[str]) -> bool:
    return any(equation.primitive.name in names or _has_inside(equation, names) for equation in jaxpr.eqns)


def _has_inside(equation: JaxprEqn, names: frozenset[str]) -> bool:
    inner = equation.params.get("call_jaxpr")
    # The functions of this folder that have a derivative of their own are fast.
    is_ours = isinstance(inner, ClosedJaxpr) and _HERE in str(inner.jaxpr.debug_info.func_src_info)
    return not is_ours and any(_has(inner, names) for inner in jaxprs_in_params(equation.params))


def _evaluate(jaxpr: Jaxpr, consts: Sequence[Any], arguments: Sequence[Any], rules: Rules) -> list[Any]:
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        results = _rewritten_results(equation, list(map(read, equation.invars)), rules)
        if results is None:
            used = list({atom: None for atom in equation.invars if not isinstance(atom, Literal)})
            alone = jaxpr.replace(constvars=[], invars=used, outvars=equation.outvars, eqns=[equation])
            results = jaxpr_as_fun(ClosedJaxpr(alone, []))(*map(read, used))
        values.update(zip(equation.outvars, results, strict=True))
    return list(map(read, jaxpr.outvars))


def _rewritten_results(equation: JaxprEqn, operands: Sequence[Any], rules: Rules) -> Sequence[Any] | None:
    """Return the results of an operation that is computed in another way, or has such operations inside; else None."""
    name, params = equation.primitive.name, equation.params
    if name in rules:
        result = rules[name](*operands, **params)
        if result is not None:
            return [result]
    elif not _has_inside(equation, frozenset(rules)):
        return None
    elif name in _CALLS:
        return _CALLS[name](operands, rules, **params)
    callers = summarize(equation.source_info, num_frames=8).splitlines()[::-1]
    place = next((caller for caller in callers if "/flax/" not in caller), "in a layer")
    _warn(f"{name} of {equation.source_info.name_stack}".removesuffix(" of "), place)
    return None


@cache
def _warn(operation: str, place: str) -> None:
    """Log a warning, once."""
    _log.warning("%s stays as it is, which may be slow in a training: %s.", operation, place)


def _call(operands: Sequence[Any], rules: Rules, *, jaxpr: ClosedJaxpr, **_: Any) -> Sequence[Any]:
    return _evaluate(jaxpr.jaxpr, jaxpr.consts, operands, rules)


def _checkpoint(
    operands: Sequence[Any], rules: Rules, *, jaxpr: Jaxpr, prevent_cse: Any, policy: Any, **_: Any
) -> Sequence[Any]:
    function = jax.checkpoint(
        lambda *operands: _evaluate(jaxpr, [], operands, rules), prevent_cse=prevent_cse, policy=policy
    )
    results: Sequence[Any] = function(*operands)
    return results


def _scan(
    operands: Sequence[Any], rules: Rules, *, jaxpr: ClosedJaxpr, length: int, reverse: bool, unroll: int, **parts: Any
) -> Sequence[Any]:
    if "ft_in" in parts:  # from JAX 0.11 on
        consts, carry, xs = map(list, parts["ft_in"].update(operands).unpack())
    else:
        begin, end = parts["num_consts"], parts["num_consts"] + parts["num_carry"]
        consts, carry, xs = (list(part) for part in (operands[:begin], operands[begin:end], operands[end:]))

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        results = _evaluate(jaxpr.jaxpr, jaxpr.consts, [*consts, *carry, *x], rules)
        return results[: len(carry)], results[len(carry) :]

    last, ys = lax.scan(step, carry, xs, length, reverse, unroll)
    return [*last, *ys]


def _switch(operands: Sequence[Any], rules: Rules, *, branches: Sequence[ClosedJaxpr], **_: Any) -> Sequence[Any]:
    def function(branch: ClosedJaxpr, *operands: Any) -> Sequence[Any]:
        return _evaluate(branch.jaxpr, branch.consts, operands, rules)

    index, *others = operands
    results: Sequence[Any] = lax.switch(index, [partial(function, branch) for branch in branches], *others)
    return results


#: How operations with inner programs are evaluated, by name.
_CALLS: dict[str, Callable[..., Sequence[Any]]] = {
    **dict.fromkeys(("jit", "pjit"), _call),
    **dict.fromkeys(("checkpoint", "remat2"), _checkpoint),
    "scan": _scan,
    "cond": _switch,
}
