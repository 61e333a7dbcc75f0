#!/bin/sh
# Installs what is missing for `make demo` (argument: build) or `make test` (argument: test): Debian packages, said
# before it happens, and the npm packages of the lock file, among them the pinned Node. Does nothing when all is there.
set -eu
cd "$(dirname "$0")/.."

packages="gcc libc6-dev libseccomp-dev zlib1g-dev libssl-dev busybox-static nftables iproute2 util-linux"
[ "${1:-build}" = test ] && packages="$packages qemu-system-x86 cpio kmod e2fsprogs curl python3"

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "setup: these Debian packages are missing and will be installed with apt-get:$missing" >&2
  if [ "$(id -u)" != 0 ]; then
    echo "setup: that needs root; run this command as root (containers need it too)" >&2
    exit 1
  fi
  apt-get -qq update
  # shellcheck disable=SC2086 # a list of package names
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
fi

# The docker client is only unpacked, not installed: the package would start a daemon.
if [ "${1:-build}" = test ] && ! command -v docker >/dev/null && [ ! -x build/docker-client/usr/bin/docker ]; then
  echo "setup: the docker client is missing; Debian's docker.io is downloaded and unpacked below build/ (it is not installed)" >&2
  apt-get -qq update
  mkdir -p build/docker-client
  (cd build/docker-client && apt-get -qq -o APT::Sandbox::User=root download docker.io && dpkg -x docker.io_*.deb . && rm docker.io_*.deb)
fi

# So is mkfs.btrfs, which makes the file system of the btrfs storage driver's tests.
if [ "${1:-build}" = test ] && ! command -v mkfs.btrfs >/dev/null && [ ! -x build/btrfs-progs/sbin/mkfs.btrfs ]; then
  echo "setup: mkfs.btrfs is missing; Debian's btrfs-progs is downloaded and unpacked below build/ (it is not installed)" >&2
  apt-get -qq update
  mkdir -p build/btrfs-progs
  (cd build/btrfs-progs && apt-get -qq -o APT::Sandbox::User=root download btrfs-progs && dpkg -x btrfs-progs_*.deb . && rm btrfs-progs_*.deb)
fi

# docker-compose and docker-py likewise, with what they need of Python and is not installed: they would be there for all.
clients=build/python-clients
if [ "${1:-build}" = test ] && [ ! -d $clients ] &&
  ! { [ -x /usr/bin/docker-compose ] && /usr/bin/python3 -c 'import docker' 2>/dev/null; }; then
  echo "setup: docker-compose and python3-docker are missing; Debian's are downloaded and unpacked below build/ (they are not installed)" >&2
  apt-get -qq update
  rm -rf $clients.new
  mkdir -p $clients.new/archives/partial
  apt-get -qq -o APT::Sandbox::User=root -o Dir::Cache::archives="$PWD/$clients.new/archives" \
    install -y --no-install-recommends --download-only docker-compose python3-docker >/dev/null
  for package in $clients.new/archives/*.deb; do dpkg -x "$package" $clients.new; done
  rm -r $clients.new/archives
  mv $clients.new $clients
fi

# The lock file that node_modules was made from is kept inside it. A link belongs to another checkout: it is left alone.
if [ ! -L node_modules ] && ! cmp -s package-lock.json node_modules/.berth-lock.json; then
  echo "setup: installing the npm packages of package-lock.json" >&2
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.berth-lock.json
fi
version=$(node_modules/.bin/node --version 2>/dev/null || true)
case $version in
  v24.*) ;;
  *)
    echo "setup: node_modules/.bin/node should be Node 24, but is: ${version:-missing}." >&2
    echo "setup: delete node_modules and run this command again (linux on x64 and arm64 is supported)" >&2
    exit 1
    ;;
esac
