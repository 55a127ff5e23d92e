"""The ways to train a population that `benchmarks.population_training` compares."""
