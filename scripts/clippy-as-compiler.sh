# Sourced by `make ci`: clippy stands in the compiler's place for the crates of the workspace, so that building the tests lints
# them. `cargo clippy` says the same, but checks every dependency once more, which takes minutes on a cold machine.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver
export CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__

# How clippy-driver is told what is an error is not promised: an unused variable must still be one.
if echo 'fn main() { let unused = 1; }' | clippy-driver - --emit=metadata -o "$(mktemp -u)" 2>/dev/null; then
  echo 'clippy-driver does not take CLIPPY_ARGS as it did: warnings would pass (scripts/clippy-as-compiler.sh)' >&2
  exit 1
fi
