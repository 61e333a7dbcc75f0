#include "metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
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

/* Owner and time of what cannot be opened; it was made just now and nobody else is here, so its name is safe. */
void metadata_set_named(int parent, const char *base, const struct entry *entry)
{
	struct timespec times[2];

	if (fchownat(parent, base, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		fail_errno("chown", entry->name);
	if (entry->type != '2' && fchmodat(parent, base, entry->mode, 0) < 0)
		fail_errno("chmod", entry->name);
	metadata_times(entry, times);
	if (utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW) < 0)
		fail_errno("utimensat", entry->name);
}
