#!/bin/sh
# Makes build/vm/{vmlinuz,initramfs.cpio.gz}: Debian's kernel and a busybox initramfs that shows the guest this machine's
# file system, read-only, under a tmpfs overlay, with Debian's runc in /usr/local/bin; and build/vm/probe for its
# containers. Run from the repository root; does nothing when this script made them.
set -eu
out=build/vm
probe=$(dirname "$0")/probe.c
stamp=$(cat "$0" "$probe" | cksum)
[ -f "$out/vmlinuz" ] && [ -f "$out/initramfs.cpio.gz" ] && [ -x "$out/probe" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
[ -n "$package" ] || { echo "vm: Debian's linux-image-amd64 is not known to apt; run: apt-get update" >&2; exit 1; }
echo "vm: downloading Debian's $package and runc for the virtual machine (they are not installed)" >&2
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg -x "$package"_*.deb kernel)
version=$(ls "$work/kernel/lib/modules")
depmod -b "$work/kernel" "$version"
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download runc && dpkg -x runc_*.deb runc)
cc -std=c17 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -O2 -static -s -o "$out/probe" "$probe"

root=$work/initramfs
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/host" "$root/over" "$root/root" "$root/modules"
cp /bin/busybox "$root/bin/busybox"
cp "$work/runc/usr/sbin/runc" "$root/bin/runc"
: >"$root/modules/order"
for module in virtio_pci 9pnet_virtio 9p overlay veth bridge br_netfilter nf_tables nft_nat nft_chain_nat nft_masq nft_ct \
  nft_numgen nft_hash nft_fib_inet nft_redir nf_conntrack wireguard virtio_rng virtio_blk bfq crc32c_generic ext4; do
  modprobe -d "$work/kernel" -S "$version" --show-depends "$module" 2>/dev/null | while read -r verb path _; do
    [ "$verb" = insmod ] || continue
    name=$(basename "$path")
    grep -qx "$name" "$root/modules/order" && continue
    cp "$path" "$root/modules/$name"
    echo "$name" >>"$root/modules/order"
  done
done

cat >"$root/init" <<'INIT'
#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do busybox insmod "/modules/$module"; done </modules/order
busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose host /host
busybox mount -t tmpfs -o size=1200m tmpfs /over
busybox mkdir -p /over/upper /over/work
busybox mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work overlay /root
busybox mount -t proc proc /root/proc
busybox mount -t sysfs sysfs /root/sys
busybox mount -t devtmpfs devtmpfs /root/dev
busybox mkdir -p /root/dev/pts /root/dev/shm /root/exchange
busybox mount -t devpts devpts /root/dev/pts
busybox mount -t tmpfs tmpfs /root/dev/shm
busybox mount -t tmpfs -o size=1000m tmpfs /root/run
busybox mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
busybox mount -t 9p -o rw,trans=virtio,version=9p2000.L,msize=524288 exchange /root/exchange
busybox cp /bin/runc /root/usr/local/bin/runc
busybox ip link set lo up
busybox umount /proc /sys 2>/dev/null
exec busybox switch_root /root /bin/sh /exchange/guest.sh
INIT
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$out/initramfs.cpio.gz.new"
cp "$work/kernel/boot/vmlinuz-$version" "$out/vmlinuz"
mv "$out/initramfs.cpio.gz.new" "$out/initramfs.cpio.gz"
echo "$stamp" >"$out/stamp"
