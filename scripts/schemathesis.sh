#!/usr/bin/env bash
# Runs schemathesis (PyPI) against a served admin API: every operation of its OpenAPI document, with known ids from the
# examples and whatever a fuzzer thinks of. It must find no 5xx, no undocumented status, no answer off its schema.
#
#   scripts/schemathesis.sh BASE_URL [TOKEN]
#
# Starts nothing but schemathesis; installs it into .nsc/schemathesis when it is not there. More arguments for it in
# SCHEMATHESIS_ARGS.
set -euo pipefail
cd "$(dirname "$0")/.."

base_url=${1:?usage: scripts/schemathesis.sh BASE_URL [TOKEN]}
token=${2:-}
home=.nsc/schemathesis

if [[ ! -x $home/bin/schemathesis ]]; then
  python3 -m venv "$home"
  "$home/bin/pip" --quiet --disable-pip-version-check install 'schemathesis>=4,<5'
fi

arguments=(
  run "$base_url/openapi.json"
  --url "$base_url"
  # That `from` lies before `to`, and that a cursor came from a page, cannot be said in a schema.
  --exclude-checks positive_data_acceptance
  --max-examples "${SCHEMATHESIS_EXAMPLES:-200}"
  --generation-database none
)
if [[ -n $token ]]; then
  arguments+=(--header "Authorization: Bearer $token")
else
  # Without authentication there is nothing that a missing token could be refused by.
  arguments+=(--exclude-checks ignored_auth)
fi
# It leaves its reports where it runs.
cd "$home"
# shellcheck disable=SC2086
exec bin/schemathesis "${arguments[@]}" ${SCHEMATHESIS_ARGS:-}
