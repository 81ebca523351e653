#!/usr/bin/env bash
# What the serving bench needs beside the product: wrk, pgbench, the broker, and a Python with a Kafka client.
# bench/serving/setup.sh [--check]. Skips what is there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

step "What the serving bench needs"
command -v wrk >/dev/null 2>&1 || die 2 "wrk is not installed (it asks the API)" "Debian/Ubuntu: apt-get install wrk"
bin=$(postgres_bin) || die 2 "PostgreSQL is not installed" "Run scripts/install-deps.sh up."
[ -x "$bin/pgbench" ] || die 2 "there is no pgbench in $bin" "It comes with the server: apt-get install postgresql"
[ "${1:-}" != --check ] || exit 0
"$ROOT/scripts/broker.sh"
venv_sync "$ROOT/.nsc/bench-serving-venv" "$ROOT/bench/serving/requirements.txt"
