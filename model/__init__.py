"""Golden model, number formats, model files and training data. Needs numpy only; training is in mubinn.model.train."""
