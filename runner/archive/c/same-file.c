#include "same-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../image/unpack/report.h"

static bool same_link(int found, int below)
{
	static char own[PATH_MAX], other[PATH_MAX];
	ssize_t length = readlinkat(found, "", own, sizeof own);

	return length >= 0 && length == readlinkat(below, "", other, sizeof other) &&
	       memcmp(own, other, (size_t)length) == 0;
}

static ssize_t capability(int found, char value[64])
{
	char self[32];

	snprintf(self, sizeof self, "/proc/self/fd/%d", found);
	ssize_t size = getxattr(self, "security.capability", value, 64);
	return size < 0 ? 0 : size;
}

static bool same_capability(int found, int below)
{
	char own[64], other[64];
	ssize_t size = capability(found, own);

	return size == capability(below, other) && memcmp(own, other, (size_t)size) == 0;
}

static int open_content(int found, const char *path)
{
	char self[32];

	snprintf(self, sizeof self, "/proc/self/fd/%d", found);
	int fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fail_errno("open", path);
	return fd;
}

static bool same_content(int found, int below, const char *path)
{
	static char own[128u << 10], other[sizeof own];
	int left = open_content(found, path), right = open_content(below, path);
	bool same = true;

	for (off_t at = 0; same;) {
		ssize_t count = pread(left, own, sizeof own, at);
		if (count < 0)
			fail_errno("read", path);
		if (count == 0)
			break;
		same = pread(right, other, (size_t)count, at) == count && memcmp(own, other, (size_t)count) == 0;
		at += count;
	}
	close(left);
	close(right);
	return same;
}

static bool touched_since(const struct timespec *made, const struct timespec *changed)
{
	return changed->tv_sec > made->tv_sec || (changed->tv_sec == made->tv_sec && changed->tv_nsec >= made->tv_nsec);
}

bool same_file(const struct file *own, const struct file *other, const struct timespec *made, const char *path)
{
	const struct stat *left = &own->status, *right = &other->status;

	if (left->st_mode != right->st_mode || left->st_uid != right->st_uid || left->st_gid != right->st_gid)
		return false;
	if (S_ISLNK(left->st_mode))
		return same_link(own->found, other->found);
	if (S_ISCHR(left->st_mode) || S_ISBLK(left->st_mode))
		return left->st_rdev == right->st_rdev;
	if (!S_ISREG(left->st_mode))
		return true;
	if (left->st_size != right->st_size || left->st_mtim.tv_sec != right->st_mtim.tv_sec ||
	    left->st_mtim.tv_nsec != right->st_mtim.tv_nsec || !same_capability(own->found, other->found))
		return false;
	/* A time of modification can be set back, that of the change of the inode cannot. */
	return !touched_since(made, &left->st_ctim) || same_content(own->found, other->found, path);
}
