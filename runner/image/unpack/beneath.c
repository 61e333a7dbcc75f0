#include "beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report.h"

static unsigned long long mounts = RESOLVE_NO_XDEV;

void beneath_cross_mounts(void)
{
	mounts = 0;
}

int beneath_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned long long)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | mounts,
	};
	long fd;

	/* EAGAIN: something anywhere was renamed while `..` was looked up; the kernel asks to try again. */
	do
		fd = syscall(SYS_openat2, root, path[0] == '\0' ? "." : path, &how, sizeof how);
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return (int)fd;
}

/* Its depth is bounded by the number of descriptors: one is open for each level. */
static void remove_directory(int parent, const char *base, const char *entry)
{
	int fd = openat(parent, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno("open of a directory to replace", entry);
	DIR *directory = fdopendir(fd);
	if (directory == NULL)
		fail_errno("fdopendir", entry);
	for (struct dirent *child; (child = readdir(directory)) != NULL;) {
		if (strcmp(child->d_name, ".") != 0 && strcmp(child->d_name, "..") != 0)
			beneath_remove(fd, child->d_name, entry);
	}
	closedir(directory);
	if (unlinkat(parent, base, AT_REMOVEDIR) < 0)
		fail_errno("rmdir", entry);
}

void beneath_remove(int directory, const char *base, const char *entry)
{
	if (unlinkat(directory, base, 0) == 0 || errno == ENOENT)
		return;
	if (errno != EISDIR)
		fail_errno("unlink", entry);
	remove_directory(directory, base, entry);
}
