# shellcheck shell=bash disable=SC2034
# Sourced by `up` and `down`: paths, ports and small helpers, beside those of the testbed.
# Everything listens on 127.0.0.1 only; every port can be set from the environment.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

STATE=${DOCKTOR_TESTBED_STATE:-$CACHE/services}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VENV=$STATE/venv

NATS_PORT=${NATS_PORT:-14222}             NATS_HTTP_PORT=${NATS_HTTP_PORT:-18222}
RABBITMQ_PORT=${RABBITMQ_PORT:-15673}     RABBITMQ_HTTP_PORT=${RABBITMQ_HTTP_PORT:-15674}
RABBITMQ_DIST_PORT=${RABBITMQ_DIST_PORT:-25673} RABBITMQ_EPMD_PORT=${RABBITMQ_EPMD_PORT:-14369}
REDIS_PORT=${REDIS_PORT:-16379}
KAFKA_PORT=${KAFKA_PORT:-19092}
SQS_PORT=${SQS_PORT:-15566}
PROMETHEUS_PORT=${PROMETHEUS_PORT:-19090} NODE_EXPORTER_PORT=${NODE_EXPORTER_PORT:-19100}
ALERTMANAGER_PORT=${ALERTMANAGER_PORT:-19093}
POSTGRES_PORT=${POSTGRES_PORT:-15432}
SMTP_PORT=${SMTP_PORT:-15025}
WEBHOOK_PORT=${WEBHOOK_PORT:-15080}
LLM_PORT=${LLM_PORT:-15081}

# need_py SPEC...: install into the testbed's own virtual environment, once per spec.
need_py() {
  local spec stamp
  need python3-venv
  [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
  for spec; do
    stamp=$VENV/.have-$(printf %s "$spec" | tr -c 'A-Za-z0-9.=' _)
    [ -e "$stamp" ] && continue
    "$VENV/bin/pip" install -q --disable-pip-version-check "$spec" >&2 || die "could not install $spec"
    touch "$stamp"
  done
}

# start NAME COMMAND...: run in the background in a session of its own; pid and log under $STATE/NAME.
start() {
  local name=$1; shift
  mkdir -p "$STATE/$name"
  setsid "$@" >"$STATE/$name/log" 2>&1 </dev/null 9>&- &
  echo $! >"$STATE/$name/pid"
}

running() { alive "$STATE/$1/pid"; }

# ready NAME SECONDS COMMAND...: wait until COMMAND succeeds; show the log if the process dies or time runs out.
ready() {
  local name=$1 until=$(($(date +%s) + $2)); shift 2
  while ! "$@" >/dev/null 2>&1; do
    running "$name" || { tail -20 "$STATE/$name/log" >&2; die "$name died"; }
    [ "$(date +%s)" -lt "$until" ] || { tail -20 "$STATE/$name/log" >&2; die "$name not ready in time"; }
    sleep 0.05
  done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
