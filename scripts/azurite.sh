#!/usr/bin/env bash
# Makes .nsc/azurite, the Azure storage emulator of the object-store test. Skips when it is there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=3.37.0
dir=$ROOT/.nsc/azurite

step "Azure storage emulator for the tests (.nsc/azurite)"
if [ -x "$dir/node_modules/.bin/azurite-blob" ] && [ "$(cat "$dir/.version" 2>/dev/null)" = "$version" ]; then
  ok "azurite $version is there"
  exit 0
fi
note "installing azurite $version from the npm registry"
rm -rf "$dir"
mkdir -p "$dir"
npm install --prefix "$dir" --no-audit --no-fund --loglevel=error "azurite@$version" >/dev/null \
  || die 1 "npm could not install azurite $version" "Is an npm registry reachable from here?"
printf '%s\n' "$version" >"$dir/.version"
ok "azurite $version is ready"
