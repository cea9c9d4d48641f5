#!/usr/bin/env bash
# Runs the SDKs' and adapters' own tests: usage: plugins/check.sh TOOLCHAINS. They run in a copy below TOOLCHAINS, where
# plugins/toolchains.sh installed what they need. Rust's run with cargo.
set -euo pipefail
toolchains=$(cd "${1:?usage: plugins/check.sh TOOLCHAINS}" && pwd)
cd "$(dirname "$0")"
# Laid out as the repository is, because templates must pin what the SDKs were tested with.
rm -rf "$toolchains/check"
copy="$toolchains/check/plugins"
templates=host/src/cli/plugin/templates
mkdir -p "$copy" "$toolchains/check/$templates"
cp -r sdk lambda conformance adapter "$copy/"
cp -r "../$templates/." "$toolchains/check/$templates/"
cp -r ../wit "$toolchains/check/"
check() { # NAME FOLDER COMMAND…: quiet unless it fails
    local name=$1 folder=$2 said
    shift 2
    if ! said=$(cd "$copy/$folder" && "$@" 2>&1); then
        echo "$said"
        echo "error: the tests of $name failed" >&2
        exit 1
    fi
    echo "$name: passed"
}
check "the JavaScript SDK" sdk/javascript node --test test/
check "the types of the JavaScript SDK" sdk/javascript npm run --silent check
check "the adapter for Node handlers" lambda/node node --test test/
check "the Python SDK" sdk/python python3 -m unittest discover -s tests
check "the adapter for Python handlers" lambda/python python3 -m unittest
check "the Go SDK" sdk/go bash -c 'go vet ./... && go test ./...'
check "the C SDK" sdk/c make --silent test OUT="$copy/c"
