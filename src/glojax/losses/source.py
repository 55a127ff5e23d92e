"""Loss functions as source code that needs no glojax: one function of logits and labels, for one library."""

import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from glojax.errors import ConfigurationError, ExpressionError, nearest
from glojax.expressions import MAX_INTEGER, OPERATORS, LossTree
from glojax.losses.libraries import COMMENTS, LEAVES, LIBRARIES, TEXTS, Library
from glojax.losses.stable import CONSTANT, Instruction, plain, run, stable

_SIGN: Final = 3
_ATOM: Final = 5

#: A longer text is cut into variables, so that neither lines nor parentheses grow with the tree.
_LONGEST: Final = 80


def source(tree: LossTree, target: str, class_reduction: str, prob_epsilon: float) -> str:
    """Return a module with one function, `loss(logits, labels)`, without its last line feed.

    Args:
        tree: The expression.
        target: A key of `LIBRARIES`: "python", which is NumPy, "jax", "torch" or "sympy".
        class_reduction: "sum" or "mean" over the classes.
        prob_epsilon: Lower bound of y and 1 - y in denominators; there is none for SymPy.

    Raises:
        ConfigurationError: The target is unknown.
        ExpressionError: The target lacks an operator of the tree.
    """
    if target not in LIBRARIES:
        hint = nearest(target, LIBRARIES)
        raise ConfigurationError(f"Unknown target {target!r}.{hint} Expected one of {', '.join(LIBRARIES)}.")
    library, writer = LIBRARIES[target], _Writer(target, is_bounded=prob_epsilon > 0)
    values = writer.array(run(stable(tree) if library.definitions else plain(tree), writer.write))
    lines = [*writer.parts, f"values = {values.text}"]
    used, definitions = _names(lines), list[str]()
    for name, text in [*library.definitions.items()][::-1]:
        if name in used:
            used |= _names([text])
            definitions = [*COMMENTS.get(name, ()), f"{name} = {text}", *definitions]
    bound = math.log(1 / prob_epsilon - 1) if prob_epsilon else 0.0
    body = "\n".join([*definitions, *lines, f"return {library.result}"])
    body = body.replace("BOUND", repr(bound)).replace("REDUCTION", class_reduction)
    helpers = "".join(f"\n{text}\n\n" for name, text in library.helpers.items() if f"{name}(" in body)
    code = textwrap.indent(f"{helpers}{library.preparation}\n{body}", " " * 4)
    documentation = _documentation(tree, library, class_reduction, prob_epsilon if "bounded_odds" in used else 0.0)
    return f"{library.imports}\n\n\ndef loss(logits, labels):\n{documentation}{_in_library(code, library)}"


def _documentation(tree: LossTree, library: Library, class_reduction: str, prob_epsilon: float) -> str:
    """Return the docstring."""
    bounds = f"; in denominators y and 1 - y are at least {prob_epsilon}" if prob_epsilon else ""
    paragraphs = [
        f'"""Return minus the {class_reduction} over the classes of an expression.',
        textwrap.indent(textwrap.fill(str(tree), 100, break_long_words=False, break_on_hyphens=False), " " * 4),
        f"Here x is the label and y the probability of a class{bounds}.",
        library.arguments,
    ]
    return textwrap.indent("\n\n".join(paragraphs) + '\n"""\n', " " * 4)


def _names(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in re.findall(r"\w+", text)}


def _in_library(code: str, library: Library) -> str:
    return re.sub(r"\bnp\.", f"{library.module}.", code)


class _Text(NamedTuple):
    """The text of a value, how tightly it binds, and whether it is a number of Python's, not an array."""

    text: str
    precedence: int = _ATOM
    is_number: bool = False

    def within(self, precedence: int) -> str:
        """Return the text, in parentheses if it binds less tightly."""
        return f"({self.text})" if self.precedence < precedence else self.text


class _Writer:
    """Writes instructions as expressions of Python.

    Attributes:
        parts: The lines that define variables for parts of the expression.
    """

    def __init__(self, target: str, is_bounded: bool) -> None:
        self.parts: list[str] = []
        self._target = target
        self._library = LIBRARIES[target]
        self._is_bounded = is_bounded

    def write(self, instruction: Instruction, *operands: _Text) -> _Text:
        """Write one instruction over its operands."""
        name, _, coefficient, value = instruction
        if name == CONSTANT and value == 1:
            return _number(coefficient)
        if name == CONSTANT:
            result = _number(value)
        elif operands:
            result = self._operation(name, operands)
        else:
            name = name if self._is_bounded else name.removeprefix("clipped_")
            result = _Text(LEAVES.get(name, name))
        return result if coefficient == 1 else self._operation("multiply", (_number(coefficient), result))

    def array(self, value: _Text) -> _Text:
        """Return a value as an array."""
        return _Text(self._library.array.format(value.text)) if value.is_number else value

    def _operation(self, name: str, operands: tuple[_Text, ...]) -> _Text:
        operator, template = OPERATORS.get(name, OPERATORS["power"]), self._template(name)
        is_power = operator.name == "power"
        precedence = _ATOM if is_power else operator.precedence
        if template is None:
            raise ExpressionError(
                f"The operator {operator.symbol!r} cannot be exported to {self._target}, which lacks it; write the "
                f"loss without it. It has {', '.join(OPERATORS[each].symbol for each in TEXTS if each in OPERATORS)}."
            )
        if is_power:
            operands = (self.array(operands[0]), *operands[1:])
        elif operator.form == "call":
            operands = tuple(map(self.array, operands))
        elif all(operand.is_number for operand in operands):  # Python would compute it, and refuse to divide by 0
            operands = (self.array(operands[0]), *operands[1:])
        result = _combined(template, precedence, operands)
        if len(result.text) > _LONGEST:
            result = _combined(template, precedence, [self._variable(operand) for operand in operands])
        return result

    def _template(self, name: str) -> str | None:
        if self._target == "sympy" and isinstance(function := OPERATORS[name].sympy, str):
            return f"sympy.{function}({', '.join(['{}'] * OPERATORS[name].arity)})"
        return {**TEXTS, **self._library.texts}.get(name)

    def _variable(self, value: _Text) -> _Text:
        if value.is_number or value.text.isidentifier():
            return value
        self.parts.append(f"part_{len(self.parts) + 1} = {value.text}")
        return _Text(f"part_{len(self.parts)}")


def _combined(template: str, precedence: int, operands: Sequence[_Text]) -> _Text:
    """Return the text of an operator over its operands, with the fewest parentheses."""
    if template == TEXTS["multiply"] and operands[0].text == "-1":
        return _Text(f"-{operands[1].within(_SIGN)}", _SIGN)
    # A function's call encloses its operands, and what follows an infix sign has to bind more tightly.
    least = [0] * len(operands) if precedence == _ATOM else [precedence, precedence + 1]
    if template == TEXTS["square"]:
        least = [_ATOM]
    return _Text(template.format(*map(_Text.within, operands, least)), precedence)


def _number(value: float) -> _Text:
    whole = value.is_integer() and abs(value) <= MAX_INTEGER
    text = str(int(value)) if whole else repr(value) if math.isfinite(value) else f"float('{value}')"
    return _Text(text, _SIGN if text.startswith("-") else _ATOM, is_number=True)
