#!/bin/sh
# sandbox.sh CGROUP DIRECTORY COMMAND...: runs the command as on a machine of its own, which goes away with it.
#
# Every namespace is new but that of users. The root is an overlay in memory over the real one, /run and the host's cgroups
# are not there, /tmp is DIRECTORY, and the cgroup hierarchy is what lies beneath CGROUP, an empty cgroup of the host's.
# What the command starts is killed when it ends. Devices, and settings that the kernel has but once, stay the machine's.
set -eu

if [ "${BERTH_SANDBOX-}" = "" ]; then
	echo $$ >"$1/cgroup.procs"
	export BERTH_SANDBOX=inside
	# Nor does any of it outlive who has started it.
	exec setpriv --pdeathsig KILL \
		unshare --mount --propagation private --pid --fork --kill-child --net --ipc --uts --cgroup "$0" "$@"
fi
unset BERTH_SANDBOX

cgroup=$1 directory=$2
shift 2
hierarchy=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)

# With processes in it, a cgroup could give no controllers to those beneath it.
mkdir "$cgroup/command"
echo 0 >"$cgroup/command/cgroup.procs"

root=/mnt/root
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work $root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work $root
# Other file systems of the machine, which the overlay does not show.
awk '{ print $5 }' /proc/self/mountinfo | while read -r target; do
	case $target in
	/ | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/* | /tmp | /tmp/* | /mnt | /mnt/*) ;;
	*) mount --bind -o ro "$target" "$root$target" ;;
	esac
done
mount -t proc proc $root/proc
mount -t sysfs sysfs $root/sys
mount --rbind /dev $root/dev
mount -t tmpfs -o mode=1777 tmpfs $root/dev/shm
mount -t tmpfs -o mode=755 tmpfs $root/run
mount --bind "$directory" $root/tmp
mount -t tmpfs -o mode=755 tmpfs $root/sys/fs/cgroup
mkdir -p "$root$hierarchy"
mount -t cgroup2 cgroup2 "$root$hierarchy"

cd $root
pivot_root . mnt
umount -l /mnt
ip link set lo up
cd /tmp/tree
# Not exec: the shell is process 1, which collects what is left behind.
status=0
"$@" || status=$?
exit $status
