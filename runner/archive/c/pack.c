#include "pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../image/unpack/report.h"
#include "hard-links.h"
#include "names.h"

/* Descriptors are not kept for the levels above, names are: a tree is as deep as a path is long. */
struct walk {
	struct archive *archive;
	const struct pack_options *options;
	int top;
	dev_t device;
	struct hard_links *links;
	char name[PATH_MAX]; /* in the archive */
	char path[PATH_MAX]; /* from the top; empty for itself */
};

static const char opaque_name[] = "trusted.overlay.opaque";

static bool is_opaque(int directory)
{
	char self[32], value[2];

	snprintf(self, sizeof self, "/proc/self/fd/%d", directory);
	return getxattr(self, opaque_name, value, sizeof value) == 1 && value[0] == 'y';
}

/* The file is opened by its own descriptor: it is what was looked at, and no FIFO or device is waited for. */
static void put_content(struct walk *walk, int found, const struct stat *status)
{
	static uint8_t buffer[128u << 10];
	uint64_t left = (uint64_t)status->st_size;
	char self[32];

	if (left > 0) {
		snprintf(self, sizeof self, "/proc/self/fd/%d", found);
		int fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			fail_errno("open", walk->name);
		while (left > 0) {
			ssize_t count = read(fd, buffer, left < sizeof buffer ? (size_t)left : sizeof buffer);
			if (count < 0 && errno == EINTR)
				continue;
			if (count < 0)
				fail_errno("read", walk->name);
			if (count == 0) { /* it has become shorter: what the header promised is zeros */
				memset(buffer, 0, sizeof buffer);
				count = left < sizeof buffer ? (ssize_t)left : (ssize_t)sizeof buffer;
			}
			archive_bytes(walk->archive, buffer, (size_t)count);
			left -= (uint64_t)count;
		}
		close(fd);
	}
	archive_pad(walk->archive, (uint64_t)status->st_size);
}

static void put_file(struct walk *walk, int found, const struct stat *status)
{
	struct member member = { .name = walk->name, .link = "", .type = '0', .descriptor = found };

	if (status->st_nlink > 1) {
		const char *first = hard_links_first(&walk->links, status, walk->name);
		if (first != NULL) {
			member.type = '1';
			member.link = first;
			member.descriptor = -1;
			archive_member(walk->archive, &member, status);
			return;
		}
	}
	archive_member(walk->archive, &member, status);
	put_content(walk, found, status);
}

static void put_symlink(struct walk *walk, int found, const struct stat *status)
{
	static char link[PATH_MAX]; /* not on the stack: the walk may be thousands of levels deep */
	ssize_t length = readlinkat(found, "", link, sizeof link - 1);

	if (length < 0)
		fail_errno("readlink", walk->name);
	link[length] = '\0';
	archive_member(walk->archive,
		       &(struct member){ .name = walk->name, .link = link, .type = '2', .descriptor = -1 }, status);
}

/* An empty file beside the last component of the name, or in the directory that the name is. */
static void put_whiteout(struct walk *walk, size_t base, const char *prefix, const char *hidden)
{
	static char name[PATH_MAX + 16];
	struct stat status = { .st_mode = S_IFREG | 0600 };

	snprintf(name, sizeof name, "%.*s%s%s", (int)base, walk->name, prefix, hidden);
	archive_member(walk->archive, &(struct member){ .name = name, .link = "", .type = '0', .descriptor = -1 },
		       &status);
}

static void put_entry(struct walk *walk, int found, const struct stat *status, size_t base);

static bool is_skipped(const struct walk *walk)
{
	for (char **path = walk->options->skipped; path != NULL && *path != NULL; path++)
		if (strcmp(*path, walk->path) == 0)
			return true;
	return false;
}

/* From the top anew, through no symlink: a parent that was swapped for one meanwhile is not followed. */
static void put_children(struct walk *walk, int directory)
{
	struct names names;
	size_t name_end = strlen(walk->name), path_end = strlen(walk->path);

	names_read(&names, directory, walk->name);
	for (size_t index = 0; index < names.count; index++) {
		const char *child = names.texts[index];
		size_t length = strlen(child);
		if (name_end + length + 2 >= PATH_MAX || path_end + length + 2 >= PATH_MAX)
			fail("name-too-long", walk->name, "a path of more than %d bytes", PATH_MAX - 1);
		/* A layer cannot have a file whose name says that it hides another. */
		if (walk->options->layer && strncmp(child, ".wh.", 4) == 0)
			continue;
		strcpy(walk->name + name_end, child);
		if (path_end > 0)
			walk->path[path_end] = '/';
		strcpy(walk->path + path_end + (path_end > 0), child);
		struct stat status;
		int found = is_skipped(walk) ? -1 : names_open(walk->top, walk->path);
		if (found >= 0 && fstat(found, &status) == 0) {
			put_entry(walk, found, &status, name_end);
		} else if (!is_skipped(walk) && found < 0 && errno != ENOENT && errno != ELOOP && errno != ENOTDIR) {
			fail_errno("open", walk->name);
		}
		walk->name[name_end] = '\0';
		walk->path[path_end] = '\0';
	}
	names_free(&names);
}

static void put_directory(struct walk *walk, int found, const struct stat *status, bool told)
{
	size_t length = strlen(walk->name);

	if (length > 0 && walk->name[length - 1] != '/') {
		walk->name[length] = '/';
		walk->name[length + 1] = '\0';
	}
	if (told)
		archive_member(walk->archive,
			       &(struct member){ .name = walk->name, .link = "", .type = '5', .descriptor = found }, status);
	if (walk->options->layer && is_opaque(found))
		put_whiteout(walk, strlen(walk->name), ".wh..wh..opq", "");
	if (!walk->options->flat && (!walk->options->same_filesystem || status->st_dev == walk->device)) {
		char self[32];
		snprintf(self, sizeof self, "/proc/self/fd/%d", found);
		int directory = open(self, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (directory < 0)
			fail_errno("open", walk->name);
		close(found); /* one descriptor at a time, however deep the tree */
		put_children(walk, directory);
		return;
	}
	close(found);
}

static void put_entry(struct walk *walk, int found, const struct stat *status, size_t base)
{
	bool device = S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);

	if (S_ISDIR(status->st_mode)) {
		put_directory(walk, found, status, true);
		return;
	}
	if (S_ISREG(status->st_mode)) {
		put_file(walk, found, status);
	} else if (S_ISLNK(status->st_mode)) {
		put_symlink(walk, found, status);
	} else if (walk->options->layer && S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0)) {
		char hidden[NAME_MAX + 1];
		snprintf(hidden, sizeof hidden, "%s", walk->name + base);
		put_whiteout(walk, base, ".wh.", hidden);
	} else if (device || S_ISFIFO(status->st_mode)) {
		char type = S_ISCHR(status->st_mode) ? '3' : S_ISBLK(status->st_mode) ? '4' : '6';
		archive_member(walk->archive,
			       &(struct member){ .name = walk->name, .link = "", .type = type, .descriptor = found }, status);
	}
	close(found);
}

void pack(struct archive *archive, int top, const char *name, const struct pack_options *options)
{
	static struct walk walk;
	struct stat status;

	if (fstat(top, &status) < 0)
		fail_errno("stat", name);
	if (strlen(name) > NAME_MAX)
		fail("name-too-long", name, "a name of more than %d bytes", NAME_MAX);
	walk.archive = archive;
	walk.options = options;
	walk.top = top;
	walk.device = status.st_dev;
	strcpy(walk.name, name);
	int own = fcntl(top, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		fail_errno("dup", name);
	if (S_ISDIR(status.st_mode))
		put_directory(&walk, own, &status, name[0] != '\0');
	else
		put_entry(&walk, own, &status, 0);
	archive_close(archive);
}

static struct walk chosen;
static const struct pack_options chosen_options = { .layer = true, .flat = true };

void pack_begin(struct archive *archive, int top)
{
	chosen.archive = archive;
	chosen.options = &chosen_options;
	chosen.top = top;
}

static size_t choose(const char *path)
{
	const char *slash = strrchr(path, '/');

	strcpy(chosen.name, path);
	return slash == NULL ? 0 : (size_t)(slash + 1 - path);
}

void pack_path(const char *path, int found, const struct stat *status)
{
	put_entry(&chosen, found, status, choose(path));
}

void pack_hidden(const char *path)
{
	size_t base = choose(path);

	put_whiteout(&chosen, base, ".wh.", path + base);
}
