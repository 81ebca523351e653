#!/usr/bin/env bash
# What `make up` runs: installs what is missing, builds, loads the sample day, runs the control chain, prints the report.
# Can be repeated: what is there already is kept, and said so. `make clean` starts over.
#
#   NSC_DEMO_ROOT=DIR   where the sample lake lives (default: .nsc/demo)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

sample=config/sample/day
date_kst=2026-01-05
now=2026-01-05T15:30:00Z # 00:30 KST of the next day: the nightly run
lake=${NSC_DEMO_ROOT:-.nsc/demo}

scripts/install-deps.sh build

step "Building nsc (release)"
note "the first build takes a while (the whole engine is compiled); later ones only what changed"
cargo build --release --locked --workspace
nsc=${CARGO_TARGET_DIR:-target}/release/nsc
[ -x "$nsc" ] || die 1 "the build left no $nsc"
ok "$nsc"

step "Loading the sample day into $lake (a file loaded before adds nothing)"
mkdir -p "$lake"
for table in user_wallets transaction_ledger payment_orders orders order_items products; do
  "$nsc" --root "$lake" ingest "$table" "$sample/$table.jsonl"
done

step "Running the control chain for $date_kst (KST)"
"$nsc" --root "$lake" run e2e --date-kst "$date_kst" --now "$now"

step "Done"
note "What the report should show, and why: config/sample/README.md"
note "Look further:"
note "  $nsc --root $lake sql \"SELECT exception_type, severity, subject, metric_value FROM gold.exception_ledger\""
note "  $nsc --root $lake runs list"
note "Run make up again: nothing is loaded or written twice. Start over: rm -r $lake"
