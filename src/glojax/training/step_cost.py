"""What a step of a training costs, from its program alone."""

import math
from dataclasses import replace
from typing import Any

import jax
from jax.extend.core import Jaxpr, jaxprs_in_params

from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training.train import Train


def step_flops(train: Train) -> int:
    """Return the floating-point operations of the products and convolutions of a step of one candidate."""
    # A lowering without inner loops, whose bodies would count once.
    train = replace(train, conv_lowering="grouped")
    program = LossProgram.from_tree(LossTree.parse("x * y"), 3, domain=train.task.domain)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state, rate = jax.eval_shape(train.begin, key), jax.ShapeDtypeStruct((), jax.numpy.float32)
    return _flops(jax.make_jaxpr(Train.advance)(train, state, program, key, rate, 0, 1).jaxpr)


def _flops(jaxpr: Jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        operands: Any = [each.aval for each in equation.invars]
        results: Any = [each.aval for each in equation.outvars]
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            summed = math.prod(operands[0].shape[axis] for axis in contracted)
            total += 2 * results[0].size * summed
        elif equation.primitive.name == "conv_general_dilated":
            _, inputs, *window = equation.params["dimension_numbers"].rhs_spec
            shape = operands[1].shape
            summed = shape[inputs] * math.prod(shape[axis] for axis in window)
            total += 2 * results[0].size * summed
        else:
            total += sum(map(_flops, jaxprs_in_params(equation.params)))
    return total
