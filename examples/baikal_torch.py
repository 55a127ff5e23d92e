import torch
import torch.nn.functional as F


def loss(logits, labels):
    """Return minus the sum over the classes of an expression.

        log(y) - x / y

    Here x is the label and y the probability of a class; in denominators y and 1 - y are at least 1e-07.

    Args:
        logits: [..., C], computed in float32 at least.
        labels: [..., C], one-hot or soft; or integers [...], of which those outside 0 to C - 1 have no loss.

    Returns:
        [...], of the logits' dtype.
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    if labels.shape == logits.shape:
        x, is_example = labels.to(dtype), torch.ones_like(labels, dtype=torch.bool)
    else:
        x = (labels[..., None] == torch.arange(logits.shape[-1], device=logits.device)).to(dtype)
        is_example = x.any(dim=-1, keepdim=True)
    z = torch.where(is_example, logits, 0).to(dtype).clip(-1e37)
    z = z - z.detach().amax(dim=-1, keepdim=True)

    # The log-odds, log(y / (1 - y)); those of the largest logit come from the others: nothing cancels.
    is_top = torch.arange(z.shape[-1], device=z.device) == z.argmax(dim=-1, keepdim=True)
    others = z.masked_fill(is_top, -1e37)
    second = others.detach().amax(dim=-1, keepdim=True)
    top_odds = z - second - (others - second).logsumexp(dim=-1, keepdim=True)
    log_probs = z.log_softmax(dim=-1).masked_fill(is_top, -1e37)
    odds = torch.where(is_top, top_odds, log_probs - torch.log1p(-torch.exp(log_probs)))
    fixed_odds = odds.detach()
    # In denominators they are bounded, and keep their slope.
    bounded_odds = fixed_odds.clip(-16.118095550958316, 16.118095550958316) + (odds - fixed_odds)
    log_y = F.logsigmoid(odds)
    bounded_y = torch.exp(F.logsigmoid(bounded_odds))
    values = log_y - x / bounded_y
    return torch.where(is_example, -values, 0).sum(dim=-1).to(logits.dtype)
