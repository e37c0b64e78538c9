"""Trained models of other frameworks to model files: readers, their check against the framework, post-training scales."""
