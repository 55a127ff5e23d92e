"""Trains losses on the workers of a Dask cluster.

`glojax.cluster.launch.open_workers` starts a cluster or connects to one, and `glojax.cluster.cluster_pool.ClusterPool`
trains on its workers. Both need the extra `glojax[cluster]`, unlike `glojax.cluster.settings`.
"""
