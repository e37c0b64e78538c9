"""Files and folders that are written whole or not at all."""

import os
import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

__all__ = ["command_line", "new_folder", "write_bytes", "write_text"]


def command_line(arguments):
    """A command to keep beside its result: absolute paths become relative to the working folder, which names no machine."""
    return shlex.join(os.path.relpath(a) if os.path.isabs(a) else a for a in arguments)


def write_bytes(path, data):
    """Write a file under a temporary name and put it into place. UserError where the system refuses."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror}") from error
    finally:
        _forget(temporary)


def write_text(path, text):
    """`write_bytes` of UTF-8, with the line ends as they are."""
    write_bytes(path, text.encode())


@contextmanager
def new_folder(path, *, marker):
    """A folder to fill, which takes the place of `path` when the block ends, or vanishes when it raises.

    Parameters
    ----------
    path : path
        Its missing parents are made. It may exist if it is empty or holds a file `marker`: then it is ours to replace.
    marker : str
        Name of a file that the block writes, such as manifest.json.

    Raises UserError for a path that is a file, holds somebody else's files, or can't be written.
    """
    path = Path(path).absolute()
    nearest = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise UserError(f"{nearest}: must be a folder")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
            raise UserError(f"{path}: must be empty or hold {marker}: it has files that mubinn did not write")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror}") from error
    try:
        yield temporary
        assert (temporary / marker).is_file(), f"{marker} was not written"
        try:
            if path.is_dir():
                os.replace(path, old)
            os.replace(temporary, path)
        except OSError as error:
            if old.is_dir() and not path.exists():
                os.replace(old, path)
            raise UserError(f"{path}: can't be written: {error.strerror}") from error
    finally:
        _forget(temporary)
        _forget(old)


def _forget(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:  # its folder is the trouble, and was reported
            pass
