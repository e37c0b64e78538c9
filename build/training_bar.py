"""The bar and the lines that a training shows."""

from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

__all__ = ["training_bar"]


@contextmanager
def training_bar(figures):
    """The `progress` function of a training: a bar over its batches, and a line an epoch.

    Parameters
    ----------
    figures : function of an epoch's record to str
        What its line says behind epoch, stage and loss.
    """
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("train", total=None)

        def show(event):
            if "record" in event:
                record = event["record"]
                bar.print(f"epoch {record['epoch'] + 1}/{record['epochs']}  {record['stage']:<11}  loss {record['loss']:.3f}"
                          f"  {figures(record)}")  # fmt: skip
            else:
                done = event["epoch"] * event["batches"] + event["batch"]
                bar.update(task, total=event["epochs"] * event["batches"], completed=done,
                           description=f"{event['stage']} {event['loss']:.3f}")  # fmt: skip

        yield show
