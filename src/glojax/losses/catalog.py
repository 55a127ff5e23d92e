"""The losses of the literature by name, and loss functions of any expression."""

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, Final, Literal, NamedTuple

from glojax.errors import ConfigurationError, ExpressionError, nearest
from glojax.expressions import Domain, LossTree
from glojax.losses.found import FOUND
from glojax.losses.links import DOMAINS, Link
from glojax.losses.loss import Loss
from glojax.losses.objective import DEFAULT_PROB_EPSILON, ClassReduction
from glojax.losses.taylor import TAYLOR_VECTORS, taylor_tree

#: What x and y are. "classification": label and probability of a class, or of one of several labels. "regression":
#: target and prediction.
Purpose = Literal["classification", "regression"]


class PublishedLoss(NamedTuple):
    """A loss of the literature: minus the sum of an expression.

    Attributes:
        text: The expression; names of parameters stand in braces.
        source: Authors, year, equation; and our deviations.
        parameters: The parameters, with the values that their authors use or recommend.
        purpose: What it is for.
    """

    text: str
    source: str
    parameters: Mapping[str, float] = {}
    purpose: Purpose = "classification"

    @property
    def domain(self) -> Domain:
        """Where its x and y lie."""
        return "probability" if self.purpose == "classification" else "real"

    def tree(self, **parameters: Any) -> LossTree:
        """Return the loss with these values of parameters, or with those of its authors.

        Raises:
            ConfigurationError: A parameter is unknown or not finite, or these values give no expression.

        Examples:
            >>> str(PUBLISHED["focal"].tree(gamma=1.5))
            'x * (1 - y)^1.5 * log(y)'
        """
        for name, value in parameters.items():
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none, as it has no parameters"
                raise ConfigurationError(f"Unknown parameter {name!r} of the loss {self.text}; expected {known}.")
            if not isinstance(value, Real) or not math.isfinite(value):
                raise ConfigurationError(f"The parameter {name} is {value!r}; expected a finite number.")
        values = {name: repr(float(value)) for name, value in {**self.parameters, **parameters}.items()}
        text = self.text.format(**values)
        try:
            return LossTree.parse(text)
        except ExpressionError as error:
            problem = str(error).splitlines()[0].partition(": ")[2]
            raise ConfigurationError(f"These parameters give no loss, but {text}: {problem}") from error


_TAYLOR: Final = "Gonzalez and Miikkulainen (2021), arXiv 2002.00059; parameters published with its code."
_DISTANCE: Final = "min(abs(x - y), {delta})"

#: The losses that have a name. They are summed over the classes, also where their authors take the mean.
PUBLISHED: Final[dict[str, PublishedLoss]] = {
    "cross_entropy": PublishedLoss("x * log(y)", "The standard; equal to `optax.softmax_cross_entropy`."),
    "baikal": PublishedLoss(
        "log(y) - x / y",
        "Gonzalez and Miikkulainen (2020), arXiv 1905.11528, equation 1. With n classes its minimum lies at a "
        "probability of 1 / sqrt(n) for the true one; it keeps networks from certainty.",
    ),
    "baikal_cma": PublishedLoss(
        "2.7279*(0.9863*log(1.5352*y) - -1.1135*(1.3716*x / (-0.8411*y)))",
        "Gonzalez and Miikkulainen (2020), equation 2: Baikal with tuned coefficients.",
    ),
    "focal": PublishedLoss(
        "x * (1 - y)^{gamma} * log(y)",
        "Lin et al. (2017), arXiv 1708.02002, equation 4, for any number of classes.",
        {"gamma": 2.0},
    ),
    "poly1": PublishedLoss(
        "x * log(y) - {epsilon}*(x * (1 - y))", "Leng et al. (2022), arXiv 2204.12511, equation 6.", {"epsilon": 2.0}
    ),
    "generalized_cross_entropy": PublishedLoss(
        "-x * (1 - y^{q}) / {q}", "Zhang and Sabuncu (2018), arXiv 1805.07836, equation 6.", {"q": 0.7}
    ),
    "symmetric_cross_entropy": PublishedLoss(
        "{alpha}*(x * log(y)) + {beta}*({log_zero}*(x * (1 - y)))",
        "Wang et al. (2019), arXiv 1908.06112, equation 7, for one-hot labels: `log_zero` stands for log(0).",
        {"alpha": 0.1, "beta": 1.0, "log_zero": -4.0},
    ),
    "mean_absolute_error": PublishedLoss(
        "-2 * x * (1 - y)", "Ghosh et al. (2017), arXiv 1712.09482, for one-hot labels: sum of |x - y|."
    ),
    "brier": PublishedLoss("-(x - y)^2", "Brier (1950), Verification of forecasts expressed in terms of probability."),
    "label_smoothing": PublishedLoss(
        "((1 - {epsilon}) * x + {epsilon} / {num_classes}) * log(y)",
        "Szegedy et al. (2016), arXiv 1512.00567, section 7: cross-entropy with smoothed labels.",
        {"epsilon": 0.1, "num_classes": 10},
    ),
    "taylor_cross_entropy": PublishedLoss(
        "-x * (1 - y) - x * (1 - y)^2 / 2",
        "Feng et al. (2020), Can cross entropy loss be robust to label noise? IJCAI, equation 4, of order 2; see "
        "`taylor_cross_entropy` for others.",
    ),
    "confidence_penalty": PublishedLoss(
        "x * log(y) - {beta}*(y * log(y))",
        "Pereyra et al. (2017), arXiv 1701.06548, section 3.",
        {"beta": 0.1},
    ),
    "next_generation": PublishedLoss(
        "cos(cos(sin(y))) - exp({alpha} - y * (1 + x))",
        "Akhmedova and Koerber (2024), Next Generation Loss Function for Image Classification, arXiv 2404.12948; they "
        "take the mean over the classes.",
        {"alpha": 2.4092},
    ),
    **{name: PublishedLoss(str(taylor_tree(vector)), _TAYLOR) for name, vector in TAYLOR_VECTORS.items()},
    "binary_cross_entropy": PublishedLoss(
        "x * log(y) + (1 - x) * log(1 - y)",
        "Both terms of each class; with the link sigmoid equal to `optax.sigmoid_binary_cross_entropy`, summed.",
    ),
    "squared_error": PublishedLoss("-(x - y)^2", "The standard.", {}, "regression"),
    "absolute_error": PublishedLoss("-abs(x - y)", "The standard.", {}, "regression"),
    "huber": PublishedLoss(
        f"-(0.5*{_DISTANCE}^2 + {{delta}} * (abs(x - y) - {_DISTANCE}))",
        "Huber (1964), Robust estimation of a location parameter.",
        {"delta": 1.0},
        "regression",
    ),
    "log_cosh": PublishedLoss(
        "log(2) - abs(x - y) - log(1 + exp(-2 * abs(x - y)))",
        "log(cosh(x - y)), which does not overflow in this form; its absolute error is 1e-7.",
        {},
        "regression",
    ),
    "barron": PublishedLoss(
        "-abs({power} - 1) / {power} * ((((x - y) / {scale})^2 / (2 * abs({power} - 1)) + 1)^{power} - 1)",
        "Barron (2019), arXiv 1701.03077, equation 2; `power` is half of its alpha, and neither 0 nor 1.",
        {"power": 0.5, "scale": 1.0},
        "regression",
    ),
}

#: Losses that are not of this form, and why.
_NOT_OF_THIS_FORM: Final = {
    "dice": "it is a ratio of two sums over all pixels, not a sum over classes and pixels",
    "tversky": "it is a ratio of two sums over all pixels, not a sum over classes and pixels",
    "autoloss": "CSE-Autoloss's searched losses combine a classification and a localisation term of each box",
    "discopop": "it compares two answers with each other, not an answer with a label",
}

#: The tree of each loss that has a name, with the parameters of its authors.
CATALOG: Final[dict[str, LossTree]] = {name: published.tree() for name, published in PUBLISHED.items()}

# A longer text is not meant as a name.
_LONGEST_NAME: Final = 50


def taylor_cross_entropy(order: int) -> LossTree:
    """Return the Taylor cross-entropy of an order: minus the sum of x (1 - y)^i / i for i from 1 to the order.

    Raises:
        ConfigurationError: The order is not from 1 to 20.

    Examples:
        >>> str(taylor_cross_entropy(2))
        '-x * (1 - y) - x * (1 - y)^2 / 2'
    """
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= 20:
        raise ConfigurationError(f"order is {order!r}; expected a whole number from 1 to 20.")
    terms = [f" - x * (1 - y)^{power} / {power}" for power in range(2, order + 1)]
    return LossTree.parse("".join(["-x * (1 - y)", *terms]))


def find_tree(name_or_text: str, domain: Domain | None = "probability", num_classes: int | None = None) -> LossTree:
    """Return the tree of a name, with the parameters of its authors, or of an expression.

    Args:
        name_or_text: A name of `CATALOG` or `FOUND`, or an expression.
        domain: What a loss of a name has to be for; None for any.
        num_classes: The number of classes, for a loss that has it as a parameter, such as `label_smoothing`; None for
            ten.

    Raises:
        ExpressionError: There is no such name, or the text is no expression; or it is for another domain.

    Examples:
        >>> str(find_tree("baikal")), str(find_tree("x * log(y)"))
        ('log(y) - x / y', 'x * log(y)')
    """
    published = PUBLISHED.get(name_or_text)
    found = FOUND.get(name_or_text)
    if (named := published or found) is not None:
        own, purpose = (published.domain, published.purpose) if published else ("probability", "classification")
        if domain not in (own, None):
            raise ExpressionError(
                f"The loss {name_or_text} is for {purpose}, and x and y are "
                f"{'numbers' if domain == 'real' else 'label and probability'} here; its expression is {named.text}."
            )
        if published is None:
            return LossTree.parse(named.text)
        if num_classes is not None and "num_classes" in published.parameters:
            return published.tree(num_classes=num_classes)
        return CATALOG[name_or_text]
    try:
        return LossTree.parse(name_or_text)
    except ExpressionError as error:
        if not name_or_text.isidentifier() or len(name_or_text) > _LONGEST_NAME:
            raise
        if (reason := _NOT_OF_THIS_FORM.get(name_or_text)) is not None:
            problem = f"The loss {name_or_text} cannot be written as an expression of x and y: {reason}."
            raise ExpressionError(problem) from error
        names = [*CATALOG, *FOUND]
        raise ExpressionError(
            f"Unknown loss {name_or_text!r}.{nearest(name_or_text, names)} Expected one of {', '.join(names)}, or "
            "an expression such as 'log(y) - x / y'."
        ) from error


def make_loss(
    tree: LossTree | str,
    coefficients: tuple[float, ...] | None = None,
    class_reduction: ClassReduction = "sum",
    prob_epsilon: float = DEFAULT_PROB_EPSILON,
    link: Link | None = None,
) -> Loss:
    """Make a loss function of any expression: minus the expression, summed over the classes.

    So cross-entropy is `"x * log(y)"`, without a minus.

    Args:
        tree: A tree, its text, such as `"log(y) - x / y"`, or a name of `CATALOG`; x is the label and y the probability
            of a class.
        coefficients: One factor for each node in prefix order; None keeps the tree's own.
        class_reduction: "sum" or "mean" over the classes.
        prob_epsilon: Lower bound of y and 1 - y in denominators, in [0, 0.5); 0 leaves them as they are.
        link: How logits become y, "softmax", "sigmoid" or "identity"; None for "identity" where the name is of a loss
            for regression, else "softmax". See `Loss`.

    Returns:
        `loss_fn(logits, labels)`; see `Loss`.

    Examples:
        >>> import jax.numpy as jnp
        >>> loss_fn = make_loss("x * log(y)")
        >>> loss_fn, [round(float(loss), 4) for loss in loss_fn(jnp.array([[0.0, 0.0], [2.0, 0.0]]), jnp.array([0, 1]))]
        (Loss('x * log(y)'), [0.6931, 2.1269])
    """
    if link is None:
        is_real = isinstance(tree, str) and tree in PUBLISHED and PUBLISHED[tree].domain == "real"
        link = "identity" if is_real else "softmax"
    found = find_tree(tree, DOMAINS.get(link)) if isinstance(tree, str) else tree
    loss = Loss(found, class_reduction, prob_epsilon, link)
    return loss if coefficients is None else replace(loss, tree=loss.tree.with_coefficients(coefficients))


#: Cross-entropy and the losses that the method is famous for; see `PUBLISHED`.
cross_entropy = make_loss("cross_entropy")
baikal = make_loss("baikal")
baikal_cma = make_loss("baikal_cma")
