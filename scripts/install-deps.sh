#!/usr/bin/env bash
# Installs what the build (and, with "test", the tests) needs and is missing. Does nothing when all is there.
#
#   scripts/install-deps.sh [build|up|test] [--check]
#
# Debian and Ubuntu: packages through apt-get, as root or with sudo. Any other system: lists what to install and exits 2.
# --check only looks and never installs (exit 2 when something is missing).
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

want=build check=false
for arg in "$@"; do
  case $arg in
    build | up | test) want=$arg ;;
    --check) check=true ;;
    *) die 2 "unknown argument: $arg" "usage: scripts/install-deps.sh [build|up|test] [--check]" ;;
  esac
done

debian=false
if command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1; then debian=true; fi

missing=() # Debian packages
plain=()   # the same in words, for other systems
need() {
  missing+=("$1")
  plain+=("$2")
}

cc_works() { printf '#include <stdlib.h>\nint main(void){return EXIT_SUCCESS;}\n' | "${CC:-cc}" -x c -o /dev/null - >/dev/null 2>&1; }
tls_roots() { [ -n "${SSL_CERT_FILE:-}" ] || [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/ssl/cert.pem ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ]; }
python_works() {
  local py
  py=$(find_python) && "$py" -c 'import ensurepip, venv' >/dev/null 2>&1
}

step "Looking for what the $want needs"
if ! cc_works; then
  need gcc "a C compiler and linker, as \`cc\` (zstd, xz, ring, aws-lc and mimalloc are built from C)"
  missing+=(libc6-dev)
fi
tls_roots || need ca-certificates "the system's TLS root certificates (cargo downloads crates with them)"
command -v make >/dev/null 2>&1 || need make "GNU make"
if ! pkg-config --exists openssl 2>/dev/null; then
  need libssl-dev "the OpenSSL headers, found by pkg-config (librdkafka speaks TLS to the brokers with them)"
  missing+=(pkg-config)
fi
if [ "$want" != build ]; then
  # build compiles; up starts a database and a broker; test also opens our tables with other readers
  if ! python_works; then
    need python3 "Python 3.11 or newer with the venv module (independent readers of our tables; the broker comes in a wheel)"
    missing+=(python3-venv)
  fi
  postgres_bin >/dev/null || need postgresql "PostgreSQL 14 or newer: initdb, postgres, psql (a private server is started, on loopback)"
fi
if [ "$want" = test ]; then
  if ! { command -v node && command -v npm; } >/dev/null 2>&1; then
    need nodejs "Node.js 18 or newer with npm (the Azure storage emulator runs on it)"
    missing+=(npm)
  fi
  command -v promtool >/dev/null 2>&1 || need prometheus "promtool, of Prometheus (the alert rules are tested with it)"
fi

# Rust: which version is asked for in one place, Cargo.toml
msrv=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$ROOT/Cargo.toml" | head -n 1)
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
rust_problem='' rust_hint=''
if ! command -v cargo >/dev/null 2>&1 || ! command -v rustc >/dev/null 2>&1; then
  rust_problem="Rust is not installed: cargo and rustc $msrv or newer are needed"
  rust_hint="Install it with rustup (https://rustup.rs), open a new shell, and run this again."
else
  rust=$(rustc --version | awk '{print $2}' | sed 's/-.*//')
  if ! at_least "$msrv" "$rust"; then
    rust_problem="rustc $rust is too old: $msrv or newer is needed"
    rust_hint="Run: rustup update stable && rustup default stable"
    command -v rustup >/dev/null 2>&1 || rust_hint="It did not come from rustup: update it the way it was installed, or use https://rustup.rs"
  fi
fi

if [ ${#missing[@]} -gt 0 ]; then
  if ! $debian; then
    problem "this is no Debian or Ubuntu, so nothing was installed. Please install:"
    printf '  - %s\n' "${plain[@]}" ${rust_problem:+"Rust $msrv or newer: $rust_hint"} >&2
    exit 2
  fi
  if $check; then
    die 2 "missing: ${missing[*]}" "Run without --check to install them."
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || die 2 "missing: ${missing[*]}" "Neither root nor sudo here. As root run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  step "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  cc_works || die 2 "\`cc\` still cannot compile and link a program" "Try: cc --version"
  if [ "$want" != build ] && ! python_works; then
    die 2 "this system's Python is older than 3.11 (or has no venv module)" \
      "Install a newer one and name it: PYTHON=/path/to/python3.12 make test"
  fi
  ok "installed ${missing[*]}"
else
  ok "system packages"
fi

if [ -n "$rust_problem" ]; then
  die 2 "$rust_problem" "$rust_hint"
fi
ok "rustc $rust (needs $msrv)"
