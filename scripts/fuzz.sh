#!/usr/bin/env bash
# Fuzzes what strangers send: each target of fuzz/ first with a planted defect, which the run must find, then as it is.
#
#   scripts/fuzz.sh [--seconds N] [--canary-seconds N] [--sanitizer none|address] [TARGET...]
#
# --seconds         how long each target runs without the defect (30)
# --canary-seconds  how long the planted defect may stay unfound (300); most runs need a few seconds
# --sanitizer       address also watches what is not safe Rust in dependencies, at half the speed (none)
# TARGET            event, token, query (all)
#
# Exit 1 on a finding, or when the planted defect is not found; 2 when something is missing here. What the runs learn
# is kept in .nsc/fuzz/corpus, findings in .nsc/fuzz/findings. The build goes where CARGO_TARGET_DIR says, else into
# fuzz/target.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

usage="usage: scripts/fuzz.sh [--seconds N] [--canary-seconds N] [--sanitizer none|address] [event|token|query]..."
seconds=30 canary_seconds=300 sanitizer=none targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds | --canary-seconds | --sanitizer)
      [ $# -ge 2 ] || die 2 "$1 needs a value" "$usage"
      case $1=$2 in
        --sanitizer=none | --sanitizer=address) sanitizer=$2 ;;
        --sanitizer=*) die 2 "unknown sanitizer: $2" "$usage" ;;
        *=0* | *=*[!0-9]* | *=) die 2 "$1 needs a number of seconds from 1 on, not $2" "$usage" ;;
        --seconds=*) seconds=$2 ;;
        *) canary_seconds=$2 ;;
      esac
      shift 2
      ;;
    event | token | query) targets+=("$1") && shift ;;
    *) die 2 "unknown argument: $1" "$usage" ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=(event token query)

cargo fuzz --version >/dev/null 2>&1 || die 2 "cargo-fuzz is not installed: it builds the targets" \
  "Install it: cargo install cargo-fuzz --locked"

home=$ROOT/.nsc/fuzz
build=${CARGO_TARGET_DIR:-$ROOT/fuzz/target}
built=$build/$(rustc -vV | sed -n 's/^host: //p')/release
mkdir -p "$home/findings"
work=$(mktemp -d "$home/.run.XXXXXX")
trap 'rm -rf "$work"' EXIT
ulimit -c 0

# build_targets DIR [OPTION...]: leaves the three programs in DIR
build_targets() {
  local dir=$1
  shift
  # The instrumentation's flags are for nightly compilers only by name. Without --no-cfg-fuzzing some crates leave their
  # checks out, and other code would be tested than is shipped.
  RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$build cargo fuzz build --fuzz-dir fuzz --sanitizer "$sanitizer" --no-cfg-fuzzing \
    --codegen-units 16 "$@" >"$work/build.log" 2>&1 || {
    cat "$work/build.log" >&2
    die 1 "the fuzz targets do not build"
  }
  mkdir -p "$dir"
  local t
  for t in event token query; do cp "$built/$t" "$dir/$t"; done
}

# fuzz PROGRAM TARGET LIMIT CORPUS OPTION...: one bounded run; its log is $work/log, its findings stand in $work/found
fuzz() {
  local program=$1 target=$2 limit=$3 corpus=$4
  shift 4
  rm -rf "$work/found"
  mkdir -p "$work/found" "$corpus"
  # Two changes to an input before it is taken up anew: after the usual five hardly any is still accepted.
  # libFuzzer looks at its clock between runs only, so something else must be able to end it.
  timeout -k 5 $((limit + 60)) "$program" -max_total_time="$limit" -dict="fuzz/dictionaries/$target.dict" \
    -artifact_prefix="$work/found/" -print_final_stats=1 -max_len=9000 -mutate_depth=2 -timeout=10 -rss_limit_mb=2048 "$@" \
    "$corpus" "fuzz/seeds/$target" >"$work/log" 2>&1
}

stat_of() { sed -n "s/^stat::$1: *//p" "$work/log" | tail -n 1; }
coverage() { sed -n 's/^#[0-9].* cov: \([0-9]*\) ft: \([0-9]*\) corp: \([0-9]*\).*/\1 edges, \2 features, \3 inputs/p' "$work/log" | tail -n 1; }

# report_finding TARGET: keeps the input where the next run does not remove it, and says how to see it again
report_finding() {
  local target=$1 found
  tail -n 60 "$work/log" >&2
  found=$(find "$work/found" -type f | head -n 1)
  [ -n "$found" ] || die 1 "$target ended without a finding or a result" "What it said stands above."
  local kept=$home/findings/$target-$(basename "$found")
  cp "$found" "$kept"
  cp "$work/programs/$target" "$home/findings/$target"
  die 1 "$target: $(grep -m 1 -A 1 'panicked at' "$work/log" | tail -n 1 | grep . || echo 'a finding, above')" \
    "Its input: ${kept#"$ROOT"/}, $(wc -c <"$kept") bytes: $(head -c 200 "$kept" | od -An -c | tr -s ' \n' ' ')" \
    "Again: .nsc/fuzz/findings/$target ${kept#"$ROOT"/}"
}

step "Building the fuzz targets (sanitizer: $sanitizer)"
note "the first build compiles what serves, with instrumentation, and takes a while"
build_targets "$work/canary" --features canary
build_targets "$work/programs"
ok "${targets[*]}"

for target in "${targets[@]}"; do
  step "$target, with a planted defect (at most $canary_seconds s)"
  # What a seed holds would prove nothing: they are run alone first.
  fuzz "$work/canary/$target" "$target" "$canary_seconds" "$work/nothing-$target" -runs=0 -seed=1 || {
    grep -q 'the planted canary was found' "$work/log" && die 1 "$target: a seed holds the planted defect already"
    report_finding "$target"
  }
  if fuzz "$work/canary/$target" "$target" "$canary_seconds" "$work/corpus-$target" -seed=1; then
    die 1 "$target: the planted defect was not found in $canary_seconds s ($(stat_of number_of_executed_units) runs, $(coverage))" \
      "A run that misses it would miss others: are fuzz/dictionaries/$target.dict and fuzz/seeds/$target in order?"
  fi
  grep -q 'the planted canary was found' "$work/log" || report_finding "$target"
  ok "found after $(stat_of number_of_executed_units) runs ($(coverage))"

  step "$target, as it is ($seconds s)"
  fuzz "$work/programs/$target" "$target" "$seconds" "$home/corpus/$target" || report_finding "$target"
  ok "no finding in $(stat_of number_of_executed_units) runs, $(stat_of average_exec_per_sec)/s ($(coverage))"
done
step "Nothing found in ${targets[*]}"
