"""What every build does inside the sandbox's Python: loads the author's code, tells what is wrong with it, and readies the
snapshot that instances start from. Refuses to tell of our own frames.
"""

import json
import traceback
from typing import Callable, NoReturn

from . import component, log, sandbox

PROJECT = "/0"
"""Where the author's folder is mounted."""
VENDOR = "/2/"
"""Where the author's folder vendor/ is mounted once more, so that what is in it can be imported."""
REPORT = "/1/report.json"
"""What the toolchain's driver reads when it is done."""
HINT = (
    "only Python's own modules, those beside this one, and packages of pure Python in vendor/ "
    "(pip install --target vendor NAME) can be imported"
)
FILES = "read it at the top of a module, which runs while the plugin is built"

_FRAMES = 12


def attempt(do: Callable[[], object]) -> None:
    """Runs module-level code of the author's; an exception ends the build."""
    try:
        do()
    except BaseException as error:
        refuse(told(error))


def told(error: BaseException, root: str = PROJECT, hint: str = HINT) -> str:
    """An exception for its author: the stack from the first frame in `root` on, and a hint for a missing module."""
    shown = traceback.TracebackException.from_exception(error)
    own = [at for at, frame in enumerate(shown.stack) if frame.filename.startswith(root + "/")]
    frames = shown.stack[own[0] :] if own else []
    frames = [frame for frame in frames if not log.OURS.search(frame.filename)]
    shown.stack = traceback.StackSummary.from_list(frames[-_FRAMES:])
    text = "".join(shown.format(chain=False)).rstrip()
    for folder, name in ((root + "/", ""), (VENDOR, "vendor/")):
        text = text.replace(f'File "{folder}', f'File "{name}')
    if isinstance(error, ModuleNotFoundError):
        text += f"\nhint: {hint}"
    elif isinstance(error, BrokenPipeError):
        text += "\nhint: while a plugin is built it can print 10,000 bytes, which nobody sees"
    return text


def refuse(why: str) -> NoReturn:
    """Ends the build."""
    _report({"error": why})
    raise SystemExit(why)


def finish(notes: list[str], roots: list[str], instead: str = FILES) -> None:
    """The author's code is loaded: what runs from here on runs in an instance, where `instead` replaces files."""
    # The host's log cannot be called while there is no host.
    notes += [f"logged while it was built: {level}: {line}" for level, line in log.lines]
    log.lines.clear()
    _report({"notes": notes})
    component.send_lines()
    sandbox.seal(roots, instead)


def _report(what: object) -> None:
    with open(REPORT, "w", encoding="utf-8") as file:
        json.dump(what, file)
