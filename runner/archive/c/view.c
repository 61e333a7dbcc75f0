#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../../image/unpack/beneath.h"
#include "../../image/unpack/path.h"
#include "../../image/unpack/report.h"

#define MAX_LAYERS 500
#define MAX_BINDS 1000

/* Every host has this directory; nothing of it is needed once what is to be mounted has been opened. */
static const char stage[] = "/dev";

static void check_cgroup(pid_t pid, const char *cgroup)
{
	char path[64], text[8192];

	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("gone", NULL, "its first process has ended");
	size_t used = 0;
	for (ssize_t count; used < sizeof text - 1 && (count = read(fd, text + used, sizeof text - 1 - used)) > 0;)
		used += (size_t)count;
	text[used] = '\0';
	close(fd);
	if (strstr(text, cgroup) == NULL)
		fail("gone", NULL, "process %d is not the container's", pid);
}

int view_process(pid_t pid, const char *cgroup)
{
	char path[64];
	struct stat own, theirs;

	int process = pidfd_open(pid, 0);
	if (process < 0)
		fail("gone", NULL, "its first process has ended");
	check_cgroup(pid, cgroup);
	snprintf(path, sizeof path, "/proc/%d/root", pid);
	int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fstat(root, &theirs) < 0 || stat("/", &own) < 0)
		fail("gone", NULL, "its first process has ended");
	/* While it lives its number is nobody else's: all that was looked at above was this process. */
	struct pollfd ended = { .fd = process, .events = POLLIN };
	if (poll(&ended, 1, 0) != 0)
		fail("gone", NULL, "its first process has ended");
	if (own.st_dev == theirs.st_dev && own.st_ino == theirs.st_ino)
		fail("gone", NULL, "process %d has the host's root", pid);
	close(process);
	beneath_cross_mounts();
	return root;
}

static void own_namespace(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		fail_errno("unshare of the mount namespace", NULL);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail_errno("make the mounts private", NULL);
	beneath_cross_mounts();
}

/* A copy of the mount that can be put anywhere in this namespace. */
static int clone_mount(const char *source, bool recursive)
{
	int fd = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));

	if (fd < 0)
		fail_errno("open of what is mounted", source);
	return fd;
}

static void make_readonly(int mount, bool recursive)
{
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &readonly, sizeof readonly) < 0)
		fail_errno("make a mount read-only", NULL);
}

/* A file system in memory at `stage`, with the directories that the mounts here need. */
static void make_stage(void)
{
	if (mount("tmpfs", stage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0 || mkdir("/dev/root", 0755) < 0 ||
	    mkdir("/dev/upper", 0755) < 0 || mkdir("/dev/work", 0755) < 0)
		fail_errno("mount of a file system in memory", NULL);
}

/* Of the layers, closed once the overlay has its own. */
static int layers[MAX_LAYERS + 2];
static size_t layer_count;

static int open_layer(const char *directory)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		fail_errno("open of a layer", directory);
	layers[layer_count++] = fd;
	return fd;
}

/*
 * mount(2) takes one page of options: the working directory is /proc/self/fd, and each layer is named by its descriptor,
 * which also keeps commas and colons of paths out of the text.
 */
static void mount_overlay(const struct overlay *overlay)
{
	char options[4096];
	int upper = -1, work = -1;
	int length = snprintf(options, sizeof options, "redirect_dir=off,metacopy=off,index=off");

	for (size_t index = 0; index < overlay->lower_count; index++)
		length += snprintf(options + length, sizeof options - (size_t)length, "%s%d", index ? ":" : ",lowerdir=",
				   open_layer(overlay->lower[index]));
	if (overlay->upper != NULL) {
		upper = open_layer(overlay->upper);
		work = open_layer(overlay->work);
	}
	if (chdir("/proc/self/fd") < 0)
		fail_errno("chdir", "/proc/self/fd");
	make_stage();
	if (upper < 0) {
		upper = open_layer("/dev/upper");
		work = open_layer("/dev/work");
	}
	snprintf(options + length, sizeof options - (size_t)length, ",upperdir=%d,workdir=%d", upper, work);
	if (mount("overlay", "/dev/root", "overlay", MS_NODEV, options) < 0)
		fail_errno("mount of the container's root", NULL);
	while (layer_count > 0)
		close(layers[--layer_count]);
}

/* Makes the missing directories of a path, and at its end a directory or an empty file. */
static int mount_point(int root, const char *destination, bool directory)
{
	char path[PATH_MAX], prefix[PATH_MAX], above[PATH_MAX];
	const char *base;
	uint64_t depth;

	if (strlen(destination) >= PATH_MAX || !path_clean(destination, path, &depth) || path[0] == '\0')
		fail("io", destination, "a mount has no place in the container");
	for (size_t end = strcspn(path, "/");; end += 1 + strcspn(path + end + 1, "/")) {
		bool last = path[end] == '\0';
		memcpy(prefix, path, end);
		prefix[end] = '\0';
		int found = beneath_open(root, prefix, O_PATH);
		if (found < 0) {
			path_split(prefix, above, &base);
			int parent = beneath_open(root, above, O_PATH | O_DIRECTORY);
			if (parent < 0)
				fail_errno("open of a mount point", destination);
			if (last && !directory ? mknodat(parent, base, S_IFREG | 0644, 0) < 0 : mkdirat(parent, base, 0755) < 0)
				fail_errno("make of a mount point", destination);
			close(parent);
			found = beneath_open(root, prefix, O_PATH);
		}
		if (last)
			return found;
		close(found);
	}
}

static int finish_root(const int *mounts, bool readonly, const struct bind *binds, size_t count)
{
	int bare = open("/dev/root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (bare < 0)
		fail_errno("open of the container's root", NULL);
	for (size_t index = 0; index < count; index++) {
		struct stat source;
		if (fstat(mounts[index], &source) < 0)
			fail_errno("stat of what is mounted", binds[index].source);
		int target = mount_point(bare, binds[index].destination, S_ISDIR(source.st_mode));
		if (target < 0)
			fail_errno("open of a mount point", binds[index].destination);
		if (binds[index].readonly)
			make_readonly(mounts[index], true);
		if (move_mount(mounts[index], "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
			fail_errno("mount", binds[index].destination);
		close(target);
		close(mounts[index]);
	}
	if (readonly)
		make_readonly(bare, false);
	return bare;
}

static void clone_binds(int *mounts, const struct bind *binds, size_t count)
{
	if (count > MAX_BINDS)
		fail("io", NULL, "more than %d mounts", MAX_BINDS);
	for (size_t index = 0; index < count; index++)
		mounts[index] = clone_mount(binds[index].source, true);
}

static int mounts[MAX_BINDS];

int view_overlay(const struct overlay *overlay, bool readonly, const struct bind *binds, size_t count)
{
	if (overlay->lower_count == 0 || overlay->lower_count > MAX_LAYERS)
		fail("io", NULL, "a root of %zu layers", overlay->lower_count);
	own_namespace();
	clone_binds(mounts, binds, count);
	mount_overlay(overlay);
	int root = finish_root(mounts, readonly, binds, count);
	struct statfs system;
	if (fstatfs(root, &system) < 0 || system.f_type != OVERLAYFS_SUPER_MAGIC)
		fail("io", NULL, "the container's root is not what was mounted");
	return root;
}

int view_directory(const char *directory, bool readonly, const struct bind *binds, size_t count)
{
	own_namespace();
	clone_binds(mounts, binds, count);
	int tree = clone_mount(directory, false);
	make_stage();
	if (move_mount(tree, "", AT_FDCWD, "/dev/root", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		fail_errno("mount of the container's root", directory);
	close(tree);
	return finish_root(mounts, readonly, binds, count);
}
