"""Loss functions that run: published losses, any expression, programs for a population, and new operators."""

from glojax.losses.catalog import (
    CATALOG as CATALOG,
    PUBLISHED as PUBLISHED,
    PublishedLoss as PublishedLoss,
    baikal as baikal,
    baikal_cma as baikal_cma,
    cross_entropy as cross_entropy,
    find_tree as find_tree,
    make_loss as make_loss,
    taylor_cross_entropy as taylor_cross_entropy,
)
from glojax.losses.compiled import compile_tree as compile_tree
from glojax.losses.found import FOUND as FOUND, FoundLoss as FoundLoss
from glojax.losses.interpreter import interpret as interpret
from glojax.losses.leaves import Leaves as Leaves
from glojax.losses.links import DOMAINS as DOMAINS, Link as Link
from glojax.losses.loss import Loss as Loss
from glojax.losses.objective import ClassReduction as ClassReduction
from glojax.losses.program import LossProgram as LossProgram
from glojax.losses.registration import register_operator as register_operator
from glojax.losses.taylor import TAYLOR_VECTORS as TAYLOR_VECTORS, taylor_tree as taylor_tree
