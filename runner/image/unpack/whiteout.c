#include "whiteout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "beneath.h"
#include "report.h"

static const char prefix[] = ".wh.";
static const char opaque[] = ".wh..wh..opq";
/* Names by which aufs kept its own books; every engine skips them. */
static const char aufs[] = ".wh..wh.";

bool whiteout_name(const char *base)
{
	return strncmp(base, prefix, sizeof prefix - 1) == 0;
}

bool whiteout_is(const struct stat *found)
{
	return S_ISCHR(found->st_mode) && found->st_rdev == makedev(0, 0);
}

void whiteout_make_opaque(int directory, const char *entry)
{
	if (fsetxattr(directory, "trusted.overlay.opaque", "y", 1, 0) < 0)
		fail_errno("setxattr of trusted.overlay.opaque", entry);
}

/* A whiteout hides what lies in lower layers, never what its own layer holds, in whichever order they come. */
static void hide_below_existing(int parent, const char *hidden, const struct entry *entry)
{
	int directory = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (directory < 0)
		return; /* anything but a directory hides what is below by itself */
	whiteout_make_opaque(directory, entry->name);
	close(directory);
}

void whiteout_add(struct tree *tree, const struct entry *entry, const char *parent_path, int parent, const char *base)
{
	const char *hidden = base + sizeof prefix - 1;

	if (strcmp(base, opaque) == 0) {
		whiteout_make_opaque(parent, entry->name);
		tree->opaque_root |= parent_path[0] == '\0';
		tree->whiteouts++;
		return;
	}
	if (strncmp(base, aufs, sizeof aufs - 1) == 0)
		return;
	if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		fail("escape", entry->name, "a whiteout of no file in its directory");
	tree->whiteouts++;
	if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) == 0)
		return;
	if (errno != EEXIST)
		fail_errno("mknod of a whiteout", entry->name);
	hide_below_existing(parent, hidden, entry);
}

static void empty_directory(int directory, const char *entry)
{
	int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = own < 0 ? NULL : fdopendir(own);

	if (stream == NULL)
		fail_errno("open of an opaque directory", entry);
	for (struct dirent *child; (child = readdir(stream)) != NULL;)
		if (strcmp(child->d_name, ".") != 0 && strcmp(child->d_name, "..") != 0)
			beneath_remove(directory, child->d_name, entry);
	closedir(stream);
}

void whiteout_apply(const struct entry *entry, int parent, const char *base)
{
	const char *hidden = base + sizeof prefix - 1;

	if (strcmp(base, opaque) == 0)
		empty_directory(parent, entry->name);
	else if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		fail("escape", entry->name, "a whiteout of no file in its directory");
	else
		beneath_remove(parent, hidden, entry->name);
}
