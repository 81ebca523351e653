#!/usr/bin/env bash
# What `make test` runs: what is missing is installed, then every test of the workspace, in the release profile.
# Arguments go to cargo test:  scripts/test.sh -p nsc-core
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

scripts/install-deps.sh test
scripts/python-env.sh
scripts/azurite.sh
scripts/broker.sh

if [ $# -eq 0 ]; then
  set -- --workspace
  scripts/alerts-test.sh
fi
# Most tests of serving wait for a server, not for a core.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-8}
step "cargo test --release --locked $*"
note "the first build takes a while (the whole engine is compiled); later ones only what changed"
cargo test --release --locked --no-fail-fast "$@"
step "All tests passed"
