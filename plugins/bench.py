#!/usr/bin/env python3
"""What a record costs in each language: usage: plugins/bench.py HYDRANT TOOLCHAINS RUST_GUESTS

Builds the conformance guest of every language with its own toolchain and measures it twice with `hydrant plugin bench`:
keeping every record (the boundary alone) and editing JSON. Prints nanoseconds per record at four batch sizes, size,
memory, and how long a plugin takes from the cache of compiled code to its first answer. Refuses to judge: times on a
shared machine are worth comparing within one run only.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LANGUAGES = ("rust", "c", "go", "javascript", "typescript", "python")


def lines(count=2_000, length=256):
    """JSON log records of one length, 10 % to drop and 2 % that are no JSON: the same in every run."""
    chance = random.Random(7)
    for number in range(count):
        kind = chance.random()
        if kind < 0.02:
            yield "x" * (length - 1)
            continue
        level = "debug" if kind < 0.12 else chance.choice(["info", "warn", "error"])
        record = {
            "ts": 1_700_000_000_000 + number,
            "level": level,
            "service": "checkout",
            "host": f"web-{number % 40:02}",
            "request_id": f"{chance.getrandbits(128):032x}",
            "message": "order accepted",
        }
        short = length - 1 - len(json.dumps(record, separators=(",", ":")))
        record["message"] += "." * short
        yield json.dumps(record, separators=(",", ":"))


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def built(language, hydrant, place, rust):
    """The guest's file."""
    if language == "rust":
        return rust / "conformance.wasm"
    project = place / f"bench-{language}"
    shutil.rmtree(project, ignore_errors=True)
    guest = ROOT / "conformance" / language
    if language in ("javascript", "typescript", "python"):
        run(hydrant, "plugin", "new", project.name, "--lang", language, "--dir", place)
        source = {"javascript": "src/plugin.js", "typescript": "src/plugin.ts", "python": "plugin.py"}[language]
        text = (guest / source).read_text().replace("../../../sdk/javascript/", "../hydrant-plugin/")
        (project / source).write_text(text)
    else:
        shutil.copytree(guest, project)
        if language == "go":
            module = (guest / "go.mod").read_text().replace("../../sdk/go", str(ROOT / "sdk/go"))
            (project / "go.mod").write_text(module)
    out = place / f"bench-{language}.wasm"
    run(hydrant, "plugin", "build", project, "--out", out)
    return out


def main():
    hydrant, toolchains, rust = (Path(argument).resolve() for argument in sys.argv[1:4])
    place = toolchains / "projects"
    place.mkdir(exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(toolchains / "cache")
    records = place / "bench.ndjson"
    records.write_text("\n".join(lines()) + "\n")
    head = ("guest", "mode", "1", "50", "500", "4,000", "start, us", "from cache, ms", "size, KiB", "memory, MiB")
    print("nanoseconds per record of 256 bytes, by batch size")
    layout = "{:<12}{:<6}" + "{:>12}" * 4 + "{:>12}{:>16}{:>12}{:>13}"
    print(layout.format(*head), flush=True)
    for language in LANGUAGES:
        guest = built(language, hydrant, place, rust)
        for mode in ("keep", "edit"):
            bench = (hydrant, "plugin", "bench", guest, "--setting", f"mode={mode}", "--input", records, "--json")
            # The first one compiles; the second takes what was compiled.
            run(*bench)
            found = json.loads(run(*bench))["plugin"]
            times = [f"{row['nanoseconds_per_record']:,.0f}" for row in found["batches"]]
            figures = (f"{found['start_us']:,.0f}", f"{found['compile_ms']:,.1f}", f"{found['bytes'] / 1024:,.0f}",
                       f"{found['memory_peak_bytes'] / (1 << 20):,.1f}")
            print(layout.format(language, mode, *times, *figures), flush=True)


if __name__ == "__main__":
    main()
