#!/usr/bin/env bash
# Makes .nsc/venv, the Python environment of the independent-reader test. Skips when it is up to date.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step "Python readers for the tests (.nsc/venv)"
venv_sync "$ROOT/.nsc/venv" "$ROOT/scripts/requirements-test.txt"
