"""What holds inside the sandbox, where there is no file, network, thread or program: makes each of them fail with an
error that says so, and readies the interpreter for the snapshot that every instance starts from. Refuses to run at the
desk: it changes Python's own modules.
"""

from __future__ import annotations

import errno
import gc
import importlib
import linecache
import sys
from typing import Any, Callable, NoReturn, Optional, Sequence

ABSENT = {
    "_bz2": "bz2", "_ctypes": "ctypes", "_curses": "curses", "_dbm": "dbm", "_gdbm": "dbm", "_lzma": "lzma",
    "_multiprocessing": "multiprocessing", "_ssl": "ssl", "_tkinter": "tkinter",
    "_zstd": "compression.zstd", "fcntl": "fcntl", "grp": "grp", "mmap": "mmap", "pwd": "pwd", "readline": "readline",
    "resource": "resource", "syslog": "syslog", "termios": "termios",
}  # fmt: skip
"""Modules of the standard library that the sandbox's Python is built without, and what they are part of."""

BASE = (
    "_strptime", "base64", "calendar", "codecs", "collections.abc", "concurrent.futures.thread", "copy", "datetime",
    "decimal", "email.message", "encodings.ascii", "encodings.cp1252", "encodings.cp437", "encodings.hex_codec",
    "encodings.idna", "encodings.iso8859_1", "encodings.iso8859_15", "encodings.latin_1", "encodings.punycode",
    "encodings.raw_unicode_escape", "encodings.unicode_escape", "encodings.utf_16", "encodings.utf_16_be",
    "encodings.utf_16_le", "encodings.utf_32", "encodings.utf_7", "encodings.utf_8", "encodings.utf_8_sig", "gzip",
    "hashlib", "importlib.resources", "inspect", "json", "linecache", "locale", "logging", "math", "pathlib", "random",
    "re", "selectors", "socket", "string", "tempfile", "threading", "time", "traceback", "typing", "unicodedata",
    "urllib.parse", "uuid", "weakref", "zlib", "zoneinfo",
)  # fmt: skip
"""What Python's own modules import only when they need it, and what plugins use most."""

NO_NETWORK = "a plugin has no network"
NO_FILES = "a plugin has no files while it runs"
NO_THREADS = "a plugin has one thread"
NO_WAITING = "a plugin has no event loop, for there is nothing to wait for: call the function without asyncio"
NO_PROGRAMS = "a plugin cannot start other programs"

_kept: list[bytes] = []


class LateImport:
    """The last finder of modules: says why there is none."""

    sealed = False

    def find_spec(self, name: str, path: Optional[Sequence[str]] = None, target: object = None) -> None:
        """Finds nothing."""
        absent = ABSENT.get(name) or (name if name in ABSENT.values() else None)
        if absent is not None:
            raise ModuleNotFoundError(f"no module {name!r}: the sandbox's Python has no {absent}", name=name)
        if self.sealed:
            raise ModuleNotFoundError(
                f"no module {name!r}: a plugin cannot import while it runs what was not imported when it was built; "
                "import it at the top of a module",
                name=name,
            )
        return None


late = LateImport()


def enter() -> None:
    """Before the author's first module: the base is loaded, and what the sandbox lacks says so."""
    sys.meta_path.append(late)
    for name in BASE:
        importlib.import_module(name)
    _guard()


def _refusal(make: Callable[[], BaseException]) -> Callable[..., NoReturn]:
    def refuse(*_arguments: Any, **_named: Any) -> NoReturn:
        raise make()

    return refuse


def _guard() -> None:
    import _thread
    import os
    import socket
    import threading

    no_network = _refusal(lambda: PermissionError(errno.EPERM, NO_NETWORK))
    socket.socket.__init__ = no_network  # type: ignore[method-assign]
    names = "create_connection create_server fromfd getaddrinfo getfqdn gethostbyaddr gethostbyname gethostbyname_ex"
    for name in (*names.split(), "gethostname", "getnameinfo", "socketpair"):
        setattr(socket, name, no_network)
    no_threads = _refusal(lambda: RuntimeError(f"can't start new thread: {NO_THREADS}"))
    for module, name in (
        (_thread, "start_new_thread"),
        (_thread, "start_joinable_thread"),
        (threading, "_start_new_thread"),
        (threading, "_start_joinable_thread"),
    ):
        if hasattr(module, name):
            setattr(module, name, no_threads)
    no_programs = _refusal(lambda: OSError(errno.ENOTSUP, NO_PROGRAMS))
    for name in ("popen", "system"):  # not `fork`: modules look whether there is one, and would use more of it
        setattr(os, name, no_programs)


def _guard_loaded() -> None:
    """Guards what only some plugins load."""
    no_waiting = _refusal(lambda: RuntimeError(NO_WAITING))
    for name in ("asyncio", "asyncio.events"):
        if name in sys.modules:
            setattr(sys.modules[name], "new_event_loop", no_waiting)
    subprocess = sys.modules.get("subprocess")
    if subprocess is not None:
        refuse = _refusal(lambda: OSError(errno.ENOTSUP, NO_PROGRAMS))
        subprocess.Popen.__init__ = refuse
        subprocess.Popen.__del__ = lambda self: None


def _guard_files(why: str) -> None:
    import builtins
    import io

    really_open = io.open

    def open_nothing(file: Any, *arguments: Any, **named: Any) -> Any:
        """`open`, which finds nothing but the standard streams."""
        if isinstance(file, int):
            return really_open(file, *arguments, **named)
        raise FileNotFoundError(errno.ENOENT, why, file)

    builtins.open = io.open = open_nothing


def seal(roots: Sequence[str], instead: str) -> None:
    """After the author's last module: what runs from here on runs in an instance.

    `roots` are the folders whose source lines stacks in the log shall show; `instead` is what to do without files.
    """
    for module in list(sys.modules.values()):
        _remember_source(getattr(module, "__file__", None), roots)
    _guard_loaded()
    _guard_files(f"{NO_FILES}: {instead}")
    late.sealed = True
    # What lives now lives as long as the instance: the collector need not look at it, and so not touch its pages.
    gc.collect()
    gc.freeze()
    _fill_holes()


def _remember_source(file: Optional[str], roots: Sequence[str]) -> None:
    if file and file.startswith(tuple(roots)) and file.endswith(".py"):
        lines = linecache.getlines(file)
        if lines:
            # Without a time of change, the cache does not look whether the file changed.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)


def _fill_holes() -> None:
    """Uses up the free memory between living objects, which compiling modules left.

    This Python allocates with the C library's `malloc`, which fills such holes first: every new object would then touch
    another page of the snapshot, and a page that is touched for the first time is copied. Measured: 2.5 µs a record.
    """
    overhead = sys.getsizeof(b"")
    top = id(bytes(1 << 20))
    sizes = [1 << power for power in range(19, 10, -1)]
    sizes += [1024, 768, 512, 384, 320, *range(256, 16, -8)]
    for size in sizes:
        beyond = 0
        for _ in range(200_000):
            filler = bytes(size - overhead)
            if id(filler) > top:  # not from a hole
                beyond += 1
                if beyond > 2:
                    break
            else:
                beyond = 0
                _kept.append(filler)
