"""Training in PyTorch: an extra, `pip install mubinn[train]`."""
