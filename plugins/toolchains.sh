#!/usr/bin/env bash
# Installs what makes components of JavaScript, TypeScript, Python and C into DIRECTORY, once per version:
# usage: plugins/toolchains.sh DIRECTORY. Projects below DIRECTORY find it there. Rust and Go come with the machine.
set -euo pipefail
directory=$(mkdir -p "${1:?usage: plugins/toolchains.sh DIRECTORY}" && cd "$1" && pwd)
cd "$(dirname "$0")"
pins=(sdk/javascript/package.json sdk/javascript/package-lock.json sdk/python/requirements.txt sdk/c/requirements.txt)
wanted=$(cat "${pins[@]}" | sha256sum)
if [ "$(cat "$directory/installed" 2>/dev/null)" != "$wanted" ]; then
    echo "installing plugin toolchains into $directory"
    rm -rf "$directory/.venv" "$directory/node_modules" "$directory/installed"
    cp sdk/javascript/package.json sdk/javascript/package-lock.json "$directory/"
    (cd "$directory" && npm ci --silent --no-audit --no-fund)
    python3 -m venv "$directory/.venv"
    "$directory/.venv/bin/pip" install --quiet --disable-pip-version-check \
        -r sdk/python/requirements.txt -r sdk/c/requirements.txt
    echo "$wanted" >"$directory/installed"
fi
