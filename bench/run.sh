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
for bench in launch run memory converge; do
  node --disable-warning=ExperimentalWarning "bench/$bench.ts"
done
