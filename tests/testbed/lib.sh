# shellcheck shell=bash
# Shared by the testbed's scripts; sourced, not run.
set -euo pipefail

SUITE=trixie               # where Docker 26, Compose v2 and systemd 257 come from
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/docktor-testbed   # what can be rebuilt
RUN=/run/docktor-testbed                                # what is running now
[ "$(id -u)" = 0 ] || RUN=${XDG_RUNTIME_DIR:-$CACHE/run}/docktor-testbed
mkdir -p "$CACHE" "$RUN"

say() { echo "testbed: $*" >&2; }
die() { say "$*"; exit 1; }

# usage: the head of the calling script, without its marks.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

# Only one copy of a script may build or start things at a time.
lock() { exec 9>"$RUN/$1.lock"; flock 9; }

codename() { (. /etc/os-release; echo "${VERSION_CODENAME:-}"); }

# The Debian mirror that apt on this machine already uses.
mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
    awk -v c="$(codename)" '$1 == c { print $2; exit }'
}

apt_updated=
apt_update() {
  [ -z "$apt_updated" ] || return 0
  # The lists have a lock that apt-get does not wait for.
  [ "$(id -u)" != 0 ] || (flock 8 && apt-get -qq update) 8>"$RUN/apt.lock"
  apt_updated=1
}

# Services that a package brings must not start by themselves: while apt runs, a policy says no.
install_packages() {
  [ "$(id -u)" = 0 ] || die "as root: apt-get install $*"
  local policy=/usr/sbin/policy-rc.d made='' log=$RUN/apt.log failed=''
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made=1; fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" \
    >"$log" 2>&1 9>&- || failed=1
  [ -z "$made" ] || rm -f $policy
  [ -z "$failed" ] || { tail -5 "$log" >&2; die "could not install $*"; }
}

# need PACKAGE...: into this machine, only what is missing.
need() {
  local p missing=()
  for p; do dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p"); done
  [ ${#missing[@]} != 0 ] || return 0
  say "installing ${missing[*]}"
  apt_update
  install_packages "${missing[@]}"
}

# suite_apt SUITE...: fills APT with the options for an apt that sees just those
# suites and keeps its lists in the cache; the machine's own sources stay as they are.
suite_apt() {
  command -v apt-get >/dev/null || die "this machine has no apt: the testbed needs Debian"
  apt_update
  local IFS=+ dir uri s; dir=$CACHE/apt/$*; IFS=$' \t\n'; uri=$(mirror)
  [ -n "$uri" ] || die "apt has no Debian mirror configured"
  mkdir -p "$dir/lists/partial"
  for s; do echo "deb [signed-by=$KEYRING] $uri $s main"; done >"$dir/sources.list"
  APT=(-qq -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
       -o "Dir::State::lists=$dir/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
       -o APT::Sandbox::User=root)
  (flock 8 && apt-get "${APT[@]}" update) 8>"$RUN/apt.lock"
}

# unpack SUITE DIR PACKAGE...: the packages' files into DIR, nothing installed.
unpack() {
  local suite=$1 dir=$2 tmp deb APT; shift 2
  suite_apt "$suite"
  tmp=$(mktemp -d)
  (cd "$tmp" && apt-get "${APT[@]}" download "$@")
  for deb in "$tmp"/*.deb; do dpkg-deb -x "$deb" "$dir"; done
  rm -rf "$tmp"
}

# docker_programs: dockerd, containerd, the CLI and Compose from $SUITE, which run on older
# Debians too, in $DOCKER/bin; runc, which doesn't, comes from this machine's own release.
DOCKER=$CACHE/docker-$SUITE
docker_programs() {
  [ ! -x "$DOCKER/bin/docker-compose" ] || return 0
  say "fetching Docker and Compose"
  local tmp=$DOCKER.tmp
  rm -rf "$tmp" "$DOCKER"; mkdir -p "$tmp/bin" "$tmp/cli-plugins"
  unpack "$SUITE" "$tmp/root" docker.io docker-cli containerd docker-compose
  mv "$tmp"/root/usr/{s,}bin/{dockerd,docker,docker-proxy,containerd,containerd-shim-runc-v2} "$tmp/bin/" 2>/dev/null || true
  mv "$tmp/root/usr/libexec/docker/cli-plugins/docker-compose" "$tmp/bin/"
  ln -s ../bin/docker-compose "$tmp/cli-plugins/docker-compose"
  rm -rf "$tmp/root"; mv "$tmp" "$DOCKER"
}

# What dockerd needs beside its own programs.
engine_needs() {
  need iptables iproute2 runc tini
  ln -sf "$(command -v tini)" "$DOCKER/bin/docker-init"
}

answers() { "$DOCKER/bin/docker" -H "$1" version >/dev/null 2>&1; }

# wait_for_engine URL LOG: until it answers, at most 30 s.
wait_for_engine() {
  local _
  for _ in $(seq 300); do ! answers "$1" || return 0; sleep 0.1; done
  tail -20 "$2" >&2
  die "dockerd did not come up"
}

# alive PIDFILE [NAME]: does the process that we recorded there still run, and is it still that
# program? One that nobody has reaped yet is dead.
alive() {
  local pid exe
  pid=$(cat "$1") && [ -n "$pid" ] && exe=$(readlink "/proc/$pid/exe") &&
    { [ -z "${2:-}" ] || [ "$(basename "${exe% (deleted)}")" = "$2" ]; }
} 2>/dev/null

# stop PIDFILE [NAME]: ends it, by pid, and waits for it to be gone.
stop() {
  local pid _
  if alive "$@"; then
    pid=$(cat "$1"); kill "$pid" 2>/dev/null || true
    for _ in $(seq 150); do alive "$@" || break; sleep 0.1; done
    ! alive "$@" || kill -9 "$pid" 2>/dev/null || true
  fi
  rm -f "$1"
}
