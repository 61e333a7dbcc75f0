#!/bin/sh
# All timings, beside the peers of Debian: installs crun, runc and docker.io when they are missing (said first).
set -eu
cd "$(dirname "$0")/.."
missing=""
for package in crun runc docker.io; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "bench: these Debian packages are the peers and will be installed with apt-get:$missing" >&2
  apt-get -qq update
  # shellcheck disable=SC2086 # a list of package names
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
fi
bench() {
  printf '\n== bench/%s\n' "$1"
  node --disable-warning=ExperimentalWarning "bench/$1.ts" || failed="$failed $1"
}
failed=""
uptime
# crun refuses a hybrid host. In a mount namespace of this bench's own, /sys/fs/cgroup is the v2 hierarchy alone, for all.
printf '\n== bench/launch\n'
unshare --mount sh -c 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' sh \
  node --disable-warning=ExperimentalWarning bench/launch.ts || failed="$failed launch"
for name in run docker memory converge schedule; do bench "$name"; done
if [ -n "$failed" ]; then
  echo "bench: these did not run to their end:$failed" >&2
  exit 1
fi
