#!/usr/bin/env bash
# What `make test` runs: what is missing is installed, then every test of the workspace, in the release profile.
# Arguments go to cargo nextest run:  scripts/test.sh -p nsc-core late_arrival
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

scripts/install-deps.sh test
scripts/python-env.sh
scripts/azurite.sh
scripts/broker.sh
scripts/cargo-tools.sh cargo-nextest
PATH=$ROOT/.nsc/tools:$PATH

if [ $# -eq 0 ]; then
  set -- --workspace
  scripts/alerts-test.sh
fi
step "cargo nextest run --release --locked $*"
note "the first build takes a while (the whole engine is compiled); later ones only what changed"
cargo nextest run --release --locked "$@"
step "All tests passed"
