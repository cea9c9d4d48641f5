#!/usr/bin/env bash
# Builds every guest into DIRECTORY/NAME.wasm. Usage: plugins/build.sh DIRECTORY
# What is built is a core module that carries its world; the host makes the component of it, so nothing else is needed.
set -euo pipefail
directory=$(mkdir -p "${1:?usage: plugins/build.sh DIRECTORY}" && cd "$1" && pwd)
cd "$(dirname "$0")" # where .cargo/config.toml holds for
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS # they would replace the target features of .cargo/config.toml
cargo build --quiet --locked --release --target wasm32-unknown-unknown --target-dir "$directory/build"
for built in "$directory"/build/wasm32-unknown-unknown/release/*.wasm; do
    # Cargo writes hyphens as underscores; a stream names the plugin as its crate is named.
    name=$(basename "$built" | tr _ -)
    # Renamed into place: a host that watches the directory never sees half a file.
    cp "$built" "$directory/.$name.new"
    mv "$directory/.$name.new" "$directory/$name"
done
