#!/usr/bin/env bash
# The Python environment of the peers: bench/setup.sh [--spark]. Skips when it is up to date.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

pins=("$ROOT/bench/requirements.txt")
case ${1:-} in
  '') # an environment that has Spark already keeps it
    if [ -x "$ROOT/.nsc/bench-venv/bin/pyspark" ]; then pins+=("$ROOT/bench/requirements-spark.txt"); fi ;;
  --spark)
    command -v java >/dev/null 2>&1 || die 2 "the Spark peer needs Java 17 or newer" "Debian/Ubuntu: apt-get install default-jre-headless"
    pins+=("$ROOT/bench/requirements-spark.txt") ;;
  *) die 2 "unknown argument: $1" "usage: bench/setup.sh [--spark]" ;;
esac

step "Python environment of the peers (.nsc/bench-venv)"
venv_sync "$ROOT/.nsc/bench-venv" "${pins[@]}"
