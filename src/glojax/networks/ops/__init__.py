"""Operations that are fast inside a training loop, each with derivative and batching rules of its own."""
