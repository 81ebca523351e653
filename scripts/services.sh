#!/usr/bin/env bash
# The private services of `make up`, on loopback and free ports: a PostgreSQL, a Kafka-protocol broker, the consumer and
# the admin API. What runs is kept; what died is started again.
#
#   scripts/services.sh start     start what does not run, load the sample events, print where everything is
#   scripts/services.sh stop      stop all of them; the database's files stay
#   scripts/services.sh status    what runs
#   scripts/services.sh remove    stop, and remove the database too
#
# Addresses and logins stand in .nsc/services/env, readable by its owner only.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

home=$ROOT/.nsc/services
nsc=${CARGO_TARGET_DIR:-$ROOT/target}/release/nsc
export NSC_ENV=local
sample=config/sample/day

free_port() { "$(find_python)" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
secret() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }
runs() { [ -s "$home/$1.pid" ] && kill -0 "$(cat "$home/$1.pid")" 2>/dev/null; }

# The database server refuses to run as root: then it runs, and keeps its files, as somebody else.
as_owner() {
  if [ "$(id -u)" -ne 0 ]; then "$@"; else setpriv --reuid "$PG_OWNER" --regid "$PG_OWNER_GROUP" --clear-groups -- "$@"; fi
}
database_files() {
  if [ "$(id -u)" -ne 0 ]; then
    PGDATA=$home/postgres
  else
    PG_OWNER=$(id -un postgres 2>/dev/null || echo nobody)
    PG_OWNER_GROUP=$(id -gn "$PG_OWNER")
    PGDATA=${TMPDIR:-/tmp}/nsc-services-$(printf '%s' "$ROOT" | cksum | cut -d' ' -f1)/postgres
  fi
}

# keep NAME COMMAND...: in the background, with a log and a pid file
keep() {
  local name=$1
  shift
  # its own session: Ctrl-C here does not reach it
  setsid "$@" >"$home/$name.log" 2>&1 </dev/null &
  echo $! >"$home/$name.pid"
}

# wait_for WHAT LOG COMMAND...: until the command succeeds, at most a minute
wait_for() {
  local what=$1 log=$2 n=0
  shift 2
  until "$@" >/dev/null 2>&1; do
    n=$((n + 1))
    if [ $n -gt 300 ]; then
      tail -n 20 "$log" >&2 || true
      die 1 "$what did not start" "Its log: $log"
    fi
    sleep 0.2
  done
}

end() {
  local name=$1 n=0 pid
  runs "$name" || { rm -f "$home/$name.pid"; return 0; }
  pid=$(cat "$home/$name.pid")
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null && [ $n -lt 150 ]; do n=$((n + 1)); sleep 0.2; done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$home/$name.pid"
  ok "$name stopped"
}

new_addresses() (
  umask 077
  {
    echo "PG_PORT=$(free_port) BROKER_PORT=$(free_port) METRICS_PORT=$(free_port) API_PORT=$(free_port)"
    echo "PG_PASSWORD=$(secret) CONSUMER_PASSWORD=$(secret) API_PASSWORD=$(secret)"
  } >"$home/ports"
)

addresses() {
  [ -s "$home/ports" ] || new_addresses
  # shellcheck disable=SC1091
  . "$home/ports"
  # Made by an earlier version, it lacks this one.
  if [ -z "${AUDITOR_PASSWORD:-}" ]; then
    AUDITOR_PASSWORD=$(secret)
    echo "AUDITOR_PASSWORD=$AUDITOR_PASSWORD" >>"$home/ports"
  fi
  local at=127.0.0.1:$PG_PORT/bo
  MIGRATOR_URL=postgres://nsc:$PG_PASSWORD@$at
  CONSUMER_URL=postgres://nsc_consumer:$CONSUMER_PASSWORD@$at
  API_URL=postgres://nsc_api:$API_PASSWORD@$at
  AUDITOR_URL=postgres://nsc_auditor:$AUDITOR_PASSWORD@$at
  (
    umask 077
    cat >"$home/env" <<ENV
# made by scripts/services.sh: where the services of make up are
export KAFKA_BROKERS=127.0.0.1:$BROKER_PORT
export DATABASE_URL=$CONSUMER_URL
export DEMO_MIGRATOR_URL=$MIGRATOR_URL
export DEMO_API_URL=$API_URL
export DEMO_AUDITOR_URL=$AUDITOR_URL
export DEMO_API=http://127.0.0.1:$API_PORT
export NSC_ENV=local
ENV
  )
}

start_database() {
  local bin
  bin=$(postgres_bin) || die 2 "PostgreSQL is not installed" "Run scripts/install-deps.sh up."
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA"
    mkdir -p "$(dirname "$PGDATA")"
    [ "$(id -u)" -ne 0 ] || chown "$PG_OWNER:$PG_OWNER_GROUP" "$(dirname "$PGDATA")"
    local password=$PGDATA.password
    (umask 077 && printf '%s' "$PG_PASSWORD" >"$password")
    [ "$(id -u)" -ne 0 ] || chown "$PG_OWNER" "$password"
    as_owner "$bin/initdb" -D "$PGDATA" -U nsc -E UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile="$password" \
      >"$home/initdb.log" 2>&1 || die 1 "initdb failed" "Its log: $home/initdb.log"
    rm -f "$password"
  fi
  if ! runs postgres; then
    as_owner rm -f "$PGDATA/postmaster.pid"
    if [ "$(id -u)" -ne 0 ]; then
      keep postgres "$bin/postgres" -D "$PGDATA" -p "$PG_PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories=
    else
      keep postgres setpriv --reuid "$PG_OWNER" --regid "$PG_OWNER_GROUP" --clear-groups -- \
        "$bin/postgres" -D "$PGDATA" -p "$PG_PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories=
    fi
  fi
  export PGPASSWORD=$PG_PASSWORD
  local psql=("$bin/psql" -h 127.0.0.1 -p "$PG_PORT" -U nsc -qAtX -v ON_ERROR_STOP=1)
  wait_for PostgreSQL "$home/postgres.log" "${psql[@]}" -d postgres -c 'select 1'
  [ -n "$("${psql[@]}" -d postgres -c "select 1 from pg_database where datname = 'bo'")" ] \
    || "${psql[@]}" -d postgres -c 'create database bo'
  DATABASE_URL=$MIGRATOR_URL "$nsc" migrate
  # The statement goes through standard input: passwords do not belong into a list of processes.
  "${psql[@]}" -d bo <<SQL
alter role nsc_consumer login password '$CONSUMER_PASSWORD';
alter role nsc_api login password '$API_PASSWORD';
alter role nsc_auditor login password '$AUDITOR_PASSWORD';
SQL
  unset PGPASSWORD
  ok "PostgreSQL on 127.0.0.1:$PG_PORT"
}

start_broker() {
  runs broker || keep broker "${NSC_TEST_BROKER:-.nsc/broker/tansu}" broker --listener-url "tcp://127.0.0.1:$BROKER_PORT" \
    --advertised-listener-url "tcp://127.0.0.1:$BROKER_PORT" --storage-engine memory://tansu/
  wait_for "the broker" "$home/broker.log" bash -c "exec 3<>/dev/tcp/127.0.0.1/$BROKER_PORT"
  ok "broker on 127.0.0.1:$BROKER_PORT (keeps its log in memory)"
}

start_consumer() {
  if ! runs consumer; then
    # This broker keeps a member that joins waiting for half of its session; Kafka does not.
    KAFKA_SESSION_TIMEOUT_MS=6000 DATABASE_URL=$CONSUMER_URL KAFKA_BROKERS=127.0.0.1:$BROKER_PORT keep consumer "$nsc" consume \
      --metrics-listen "127.0.0.1:$METRICS_PORT" --log info
  fi
  ok "consumer, metrics on http://127.0.0.1:$METRICS_PORT/metrics"
}

start_api() {
  if ! runs api; then
    DATABASE_URL=$API_URL AUTH_MODE=disabled keep api "$nsc" serve api --listen "127.0.0.1:$API_PORT" --log info
  fi
  wait_for "the admin API" "$home/api.log" bash -c "exec 3<>/dev/tcp/127.0.0.1/$API_PORT"
  ok "admin API on http://127.0.0.1:$API_PORT (authentication disabled: this machine only)"
}

# Waits until the sample events can be seen where an operator looks.
visible() {
  local tx
  tx=$(tail -n 1 "$sample/transaction_ledger.jsonl" | sed -n 's/.*"tx_id":"\([^"]*\)".*/\1/p')
  wait_for "the sample event $tx in the API" "$home/consumer.log" \
    "$(find_python)" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$API_PORT/admin/tx/$tx')"
}

case ${1:-} in
  start)
    [ -x "$nsc" ] || die 2 "there is no $nsc" "Run make up, or cargo build --release --locked --workspace."
    mkdir -p "$home"
    scripts/broker.sh
    database_files
    addresses
    step "Serving: a private database and broker, the consumer and the admin API"
    start_database
    start_broker
    start_consumer
    start_api
    "$nsc" sample publish --brokers "127.0.0.1:$BROKER_PORT" --ledger-file "$sample/transaction_ledger.jsonl" \
      --payment-order-file "$sample/payment_orders.jsonl"
    visible
    ok "the sample events are visible"
    ;;
  stop | remove)
    for name in api consumer broker postgres; do end "$name"; done
    if [ "$1" = remove ]; then
      database_files
      rm -rf "$PGDATA" "$home"
      # made for the database alone where it may not lie in the project (root)
      [ "$(id -u)" -ne 0 ] || rmdir "$(dirname "$PGDATA")" 2>/dev/null || true
      ok "database and addresses removed"
    fi
    ;;
  status)
    for name in postgres broker consumer api; do
      if runs "$name"; then ok "$name runs (process $(cat "$home/$name.pid"))"; else note "$name does not run"; fi
    done
    ;;
  *) die 2 "what shall be done?" "usage: scripts/services.sh start|stop|status|remove" ;;
esac
