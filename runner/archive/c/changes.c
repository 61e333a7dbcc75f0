#include "changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../image/unpack/report.h"
#include "../../image/unpack/whiteout.h"
#include "names.h"
#include "pack.h"

/* A directory on the way to the one that is compared. */
struct level {
	struct level *above; /* NULL: the top */
	size_t path_end;
	bool told;
};

/* Which layers show in a directory, uppermost first. */
struct shown {
	size_t count;
	uint16_t layers[CHANGES_MAX_LAYERS];
};

/* What the layers have at a path. */
struct below {
	int found; /* negative: nothing */
	uint16_t layer; /* where it was found */
	struct stat status;
};

static struct {
	int top;
	const int *layers;
	const struct changes_options *options;
	char path[PATH_MAX];
} differ;

static struct archive archive;

static void compare_directory(struct level *level, int directory, const struct shown *shown);

static void *memory(size_t size)
{
	void *bytes = malloc(size);

	if (bytes == NULL)
		fail("io", NULL, "out of memory");
	return bytes;
}

static bool is_opaque(int directory)
{
	char self[32], value[2];

	snprintf(self, sizeof self, "/proc/self/fd/%d", directory);
	return getxattr(self, "trusted.overlay.opaque", value, sizeof value) == 1 && value[0] == 'y';
}

static int open_found(int top, struct stat *status)
{
	int found = names_open(top, differ.path);

	if (found < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		fail_errno("open", differ.path);
	if (found >= 0 && fstat(found, status) < 0)
		fail_errno("stat", differ.path);
	return found;
}

/* As overlayfs looks it up; `inside` says which layers show in it when it is a directory. */
static struct below find_below(const struct shown *shown, struct shown *inside)
{
	struct below below = { .found = -1 };

	inside->count = 0;
	for (size_t index = 0; index < shown->count; index++) {
		struct stat status;
		int found = open_found(differ.layers[shown->layers[index]], &status);
		if (found < 0)
			continue;
		bool directory = S_ISDIR(status.st_mode), first = below.found < 0;
		if (first && !whiteout_is(&status))
			below = (struct below){ .found = found, .layer = shown->layers[index], .status = status };
		if (directory)
			inside->layers[inside->count++] = shown->layers[index];
		bool last = !directory || is_opaque(found);
		if (below.found != found)
			close(found);
		if (last)
			break;
	}
	return below;
}

static void tell(char kind, int found, const struct stat *status)
{
	if (!differ.options->as_layer) {
		intmax_t size = kind != 'D' && S_ISREG(status->st_mode) ? (intmax_t)status->st_size : 0;
		if (printf("%c %jd %s", kind, size, differ.path) < 0 || putchar('\0') == EOF)
			fail_errno("write of the changes", NULL);
		if (found >= 0)
			close(found);
	} else if (kind == 'D') {
		pack_hidden(differ.path);
	} else {
		pack_path(differ.path, found, status);
	}
}

/* A directory comes before what is in it. */
static void tell_levels(struct level *level)
{
	struct stat status;

	if (level->told || level->above == NULL)
		return;
	tell_levels(level->above);
	char after = differ.path[level->path_end];
	differ.path[level->path_end] = '\0';
	int found = open_found(differ.top, &status);
	if (found >= 0)
		tell('M', found, &status);
	differ.path[level->path_end] = after;
	level->told = true;
}

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

static int open_content(int found)
{
	char self[32];

	snprintf(self, sizeof self, "/proc/self/fd/%d", found);
	int fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fail_errno("open", differ.path);
	return fd;
}

static bool same_content(int found, int below)
{
	static char own[128u << 10], other[sizeof own];
	int left = open_content(found), right = open_content(below);
	bool same = true;

	for (off_t at = 0; same;) {
		ssize_t count = pread(left, own, sizeof own, at);
		if (count < 0)
			fail_errno("read", differ.path);
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

static bool same(int found, const struct stat *status, const struct below *below)
{
	const struct stat *other = &below->status;

	if (status->st_mode != other->st_mode || status->st_uid != other->st_uid || status->st_gid != other->st_gid)
		return false;
	if (S_ISLNK(status->st_mode))
		return same_link(found, below->found);
	if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
		return status->st_rdev == other->st_rdev;
	if (!S_ISREG(status->st_mode))
		return true;
	if (status->st_size != other->st_size || status->st_mtim.tv_sec != other->st_mtim.tv_sec ||
	    status->st_mtim.tv_nsec != other->st_mtim.tv_nsec || !same_capability(found, below->found))
		return false;
	/* A time of modification can be set back, that of the change of the inode cannot. */
	return !touched_since(&differ.options->made, &status->st_ctim) || same_content(found, below->found);
}

/* Appends a name to the path; false when it is one that is left out. */
static bool enter(size_t path_end, const char *name)
{
	if (path_end + strlen(name) + 2 >= PATH_MAX)
		fail("name-too-long", differ.path, "a path of more than %d bytes", PATH_MAX - 1);
	if (path_end > 0)
		differ.path[path_end] = '/';
	strcpy(differ.path + path_end + (path_end > 0), name);
	for (char **path = differ.options->skipped; *path != NULL; path++)
		if (strcmp(*path, differ.path) == 0)
			return false;
	/* A layer cannot have a file whose name says that it hides another. */
	return !differ.options->as_layer || strncmp(name, ".wh.", 4) != 0;
}

static int reopen_directory(int found)
{
	char self[32];

	snprintf(self, sizeof self, "/proc/self/fd/%d", found);
	int fd = open(self, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_errno("open", differ.path);
	return fd;
}

static void compare_entry(struct level *level, const struct shown *shown)
{
	struct stat status;
	int found = open_found(differ.top, &status);

	if (found < 0)
		return; /* it has gone meanwhile */
	struct shown *inside = memory(sizeof *inside);
	struct below below = find_below(shown, inside);
	char kind = below.found < 0 ? 'A' : same(found, &status, &below) ? 0 : 'M';
	if (below.found >= 0)
		close(below.found);
	int directory = S_ISDIR(status.st_mode) ? reopen_directory(found) : -1;
	if (kind != 0) {
		tell_levels(level);
		tell(kind, found, &status);
	} else {
		close(found);
	}
	if (directory >= 0) {
		struct level next = { .above = level, .path_end = strlen(differ.path), .told = kind != 0 };
		compare_directory(&next, directory, inside);
	}
	free(inside);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool has_name(const struct names *names, const char *name)
{
	return names->count > 0 &&
	       bsearch(&name, names->texts, names->count, sizeof *names->texts, compare_names) != NULL;
}

/* What one layer has in this directory, and shows, but the tree has no more. */
static void tell_deleted(struct level *level, const struct names *own, const struct shown *shown, uint16_t layer)
{
	struct names names;
	struct shown *inside = memory(sizeof *inside);
	struct stat status;

	differ.path[level->path_end] = '\0';
	int found = level->above == NULL ? fcntl(differ.layers[layer], F_DUPFD_CLOEXEC, 3)
					 : open_found(differ.layers[layer], &status);
	if (found < 0)
		fail_errno("open of a directory of a layer", differ.path);
	names_read(&names, reopen_directory(found), differ.path);
	close(found);
	for (size_t index = 0; index < names.count; index++) {
		if (has_name(own, names.texts[index]) || !enter(level->path_end, names.texts[index]))
			continue;
		struct below below = find_below(shown, inside);
		if (below.found >= 0 && below.layer == layer) {
			tell_levels(level);
			tell('D', -1, &below.status);
		}
		if (below.found >= 0)
			close(below.found);
	}
	names_free(&names);
	free(inside);
}

static void compare_directory(struct level *level, int directory, const struct shown *shown)
{
	struct names names;

	names_read(&names, directory, differ.path);
	for (size_t index = 0; index < names.count; index++)
		if (enter(level->path_end, names.texts[index]))
			compare_entry(level, shown);
	for (size_t index = 0; index < shown->count; index++)
		tell_deleted(level, &names, shown, shown->layers[index]);
	differ.path[level->path_end] = '\0';
	names_free(&names);
}

void changes_tell(int top, const int *layers, size_t count, const struct changes_options *options)
{
	struct shown shown = { .count = count };
	struct level level = { 0 };

	for (size_t index = 0; index < count; index++)
		shown.layers[index] = (uint16_t)index;
	differ.top = top;
	differ.layers = layers;
	differ.options = options;
	if (options->as_layer) {
		archive_open(&archive, STDOUT_FILENO);
		archive.nanoseconds = true;
		pack_begin(&archive, top);
	}
	int own = fcntl(top, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		fail_errno("dup", NULL);
	compare_directory(&level, reopen_directory(own), &shown);
	close(own);
	if (options->as_layer)
		archive_close(&archive);
	else if (fflush(stdout) != 0)
		fail_errno("write of the changes", NULL);
}
