#!/usr/bin/env bash
# Checks the alert rules of deploy/alerts and runs their tests, with promtool.
#
#   scripts/alerts-test.sh
#
# promtool is found on the PATH, or named by PROMTOOL. Exit 2 when there is none, 1 when a rule is wrong.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -eq 0 ] || die 2 "unknown argument: $1" "usage: scripts/alerts-test.sh"

promtool=${PROMTOOL:-promtool}
command -v "$promtool" >/dev/null 2>&1 || die 2 "promtool is not installed: it checks alert rules" \
  "Debian and Ubuntu: apt-get install --no-install-recommends prometheus" \
  "Elsewhere: it comes with Prometheus; put it on the PATH, or set PROMTOOL to it."

cd "$ROOT/deploy/alerts"
rules=(*.yml) tests=(tests/*.yml)

# quiet when all is well: what promtool says is of interest only when something is wrong
run() {
  local said
  if ! said=$("$promtool" "$@" 2>&1); then
    printf '%s\n' "$said" >&2
    die 1 "promtool $1 $2 found what is above in deploy/alerts"
  fi
}

step "Alert rules"
run check rules "${rules[@]}"
run test rules "${tests[@]}"

# Every alert has a test in which it fires and one in which it does not, and a place in both runbooks.
alerts=$(sed -n 's/^ *- alert: *//p' "${rules[@]}" | sort -u)
for alert in $alerts; do
  grep -Eq "alertname: $alert *\$" "${tests[@]}" || die 1 "$alert never fires in deploy/alerts/tests"
  grep -Eq "alertname: $alert, exp_alerts: \[\]" "${tests[@]}" || die 1 "$alert always fires in deploy/alerts/tests"
  for runbook in runbook.md runbook.ko.md; do
    grep -q "^## $alert\$" "$runbook" || die 1 "$alert has no section in deploy/alerts/$runbook"
  done
done
ok "$(wc -w <<<"$alerts") alerts, ${#tests[@]} test files"
