#include "metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "report.h"

/*
 * trusted.overlay.* would let a layer speak to overlayfs (redirects into other layers); the rest of trusted.* and
 * security.* belongs to the host's own policy.
 */
static bool may_set(const char *name)
{
	if (strncmp(name, "user.overlay.", 13) == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

static void set_xattrs(struct tree *tree, int fd, const struct entry *entry)
{
	for (size_t index = 0; index < entry->xattr_count; index++) {
		const struct xattr *xattr = &entry->xattrs[index];
		if (!may_set(xattr->name)) {
			tree->skipped_xattrs++;
			continue;
		}
		if (fsetxattr(fd, xattr->name, xattr->value, xattr->value_bytes, 0) == 0)
			continue;
		if (errno != EOPNOTSUPP)
			fail_errno("setxattr", entry->name);
		tree->skipped_xattrs++;
	}
}

void metadata_times(const struct entry *entry, struct timespec times[2])
{
	times[0] = (struct timespec){ .tv_sec = entry->mtime, .tv_nsec = entry->mtime_nanoseconds };
	times[1] = times[0];
}

/* In this order: chown clears setuid and capabilities, writing the mode sets the first, the xattrs the second. */
void metadata_set(struct tree *tree, int fd, const struct entry *entry)
{
	if (fchown(fd, entry->uid, entry->gid) < 0)
		fail_errno("chown", entry->name);
	if (fchmod(fd, entry->mode) < 0)
		fail_errno("chmod", entry->name);
	set_xattrs(tree, fd, entry);
}

static mode_t kind_of(const struct entry *entry)
{
	switch (entry->type) {
	case '2':
		return S_IFLNK;
	case '3':
		return S_IFCHR;
	case '4':
		return S_IFBLK;
	default:
		return S_IFIFO;
	}
}

/*
 * Of what cannot be opened for reading. In a running container its processes may have put something else under the name
 * meanwhile, so the name is looked up once, without following it, and the mode is set through that descriptor: fchmodat
 * by name would follow a symlink, and that from the host's root.
 */
void metadata_set_named(int parent, const char *base, const struct entry *entry)
{
	struct timespec times[2];

	struct stat found;
	char self[32];
	int fd = openat(parent, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &found) < 0)
		fail_errno("open", entry->name);
	if ((found.st_mode & S_IFMT) != kind_of(entry))
		fail("bad-entry", entry->name, "something else took its place while it was being made");
	if (fchownat(fd, "", entry->uid, entry->gid, AT_EMPTY_PATH) < 0)
		fail_errno("chown", entry->name);
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	if (entry->type != '2' && chmod(self, entry->mode) < 0)
		fail_errno("chmod", entry->name);
	metadata_times(entry, times);
	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
		fail_errno("utimensat", entry->name);
	close(fd);
}
