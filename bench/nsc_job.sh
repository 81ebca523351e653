#!/usr/bin/env bash
# The product's side of a measurement, as one command: the six ingests and the control chain of one KST day.
#
#   NSC=path/to/nsc bench/nsc_job.sh ROOT DATA_DIR DATE_KST NOW LOG_DIR
#
# DATA_DIR holds TABLE.jsonl files; a table without a file is not loaded. LOG_DIR gets what each step printed:
# ingest.txt, and report.json (the run's own report, with where the time went).
set -euo pipefail
: "${NSC:?the nsc binary to measure}"
root=$1 data=$2 date_kst=$3 now=$4 logs=$5
# The peers hash with the same dummy salt.
export NSC_ENV=local

mkdir -p "$logs"
: >"$logs/ingest.txt"
for table in user_wallets transaction_ledger payment_orders orders order_items products; do
  [ -e "$data/$table.jsonl" ] || continue
  "$NSC" --root "$root" ingest "$table" "$data/$table.jsonl" >>"$logs/ingest.txt" 2>&1 || {
    status=$?
    tail -n 20 "$logs/ingest.txt" >&2
    exit "$status"
  }
done
"$NSC" --root "$root" run e2e --date-kst "$date_kst" --now "$now" --format json >"$logs/report.json"
