#include "subvolume.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../image/unpack/report.h"

/* The kernel takes no O_PATH descriptor for these. */
static int readable(int directory, const char *name)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_errno("open of the directory of a subvolume", name);
	return fd;
}

static void copy_name(char *field, size_t room, const char *name)
{
	if (strlen(name) >= room || strchr(name, '/') != NULL)
		fail("io", name, "no name of a subvolume");
	memcpy(field, name, strlen(name) + 1);
}

/* An operation that takes a name in the directory and no more. */
static void by_name(int directory, const char *name, unsigned long request, const char *operation)
{
	struct btrfs_ioctl_vol_args arguments = { 0 };
	int fd = readable(directory, name);

	copy_name(arguments.name, sizeof arguments.name, name);
	if (ioctl(fd, request, &arguments) < 0)
		fail_errno(operation, name);
	close(fd);
}

void subvolume_make(int directory, const char *name)
{
	by_name(directory, name, BTRFS_IOC_SUBVOL_CREATE, "make of a btrfs subvolume");
}

void subvolume_snapshot(int directory, const char *source, const char *name, bool readonly)
{
	struct btrfs_ioctl_vol_args_v2 arguments = { .flags = readonly ? BTRFS_SUBVOL_RDONLY : 0 };
	int fd = readable(directory, name);
	int from = open(source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (from < 0)
		fail_errno("open of a btrfs subvolume", source);
	arguments.fd = from;
	copy_name(arguments.name, sizeof arguments.name, name);
	if (ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, &arguments) < 0)
		fail_errno("snapshot of a btrfs subvolume", source);
	close(from);
	close(fd);
}

void subvolume_remove(int directory, const char *name)
{
	by_name(directory, name, BTRFS_IOC_SNAP_DESTROY, "remove of a btrfs subvolume");
}
