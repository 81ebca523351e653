#!/usr/bin/env bash
# What `make up` runs: installs what is missing, builds, loads the sample day, runs the control chain, prints the report;
# then starts serving on loopback with the same day as events. Can be repeated: what is there already is kept, and said so. `make clean` starts over.
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
# A demonstration on this machine: the dummy salt and disabled authentication are good enough. Nothing else may say so.
export NSC_ENV=local

scripts/install-deps.sh up

step "Building nsc (release)"
note "the first build takes a while (the whole engine is compiled); later ones only what changed"
cargo build --release --locked --workspace
nsc=${CARGO_TARGET_DIR:-target}/release/nsc
[ -x "$nsc" ] || die 1 "the build left no $nsc"
ok "$nsc"

step "Loading the sample day into $lake (a file loaded before adds nothing)"
"$nsc" --root "$lake" init
for table in user_wallets transaction_ledger payment_orders orders order_items products; do
  "$nsc" --root "$lake" ingest "$table" "$sample/$table.jsonl"
done

step "Running the control chain for $date_kst (KST)"
# A lake that an earlier version made may lack columns of this one.
"$nsc" --root "$lake" table migrate >/dev/null
"$nsc" --root "$lake" run e2e --date-kst "$date_kst" --now "$now"

scripts/services.sh start
# shellcheck disable=SC1091
. .nsc/services/env
tx=tx-20260105-0313
step "What happened to $tx? (curl $DEMO_API/admin/tx/$tx)"
"$(find_python)" -c "import urllib.request, sys; sys.stdout.write(urllib.request.urlopen('$DEMO_API/admin/tx/$tx').read().decode() + '\n')"

step "Done"
note "What the report should show, and why: config/sample/README.md"
note "Look further:"
note "  $nsc --root $lake sql \"SELECT exception_type, severity, subject, metric_value FROM gold.exception_ledger\""
note "  $nsc --root $lake runs list"
note "  . .nsc/services/env && curl \$DEMO_API/admin/wallets/user-1001/tx?limit=5"
note "Run make up again: nothing is loaded or written twice. Stop serving: make down. Start over: make clean"
