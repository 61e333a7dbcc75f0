#include "changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../image/unpack/report.h"
#include "names.h"
#include "pack.h"
#include "shown-layers.h"

/* A directory on the way to the one that is compared. */
struct level {
	struct level *above; /* NULL: the top */
	size_t path_end;
	bool told;
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

static void tell(char kind, const struct file *file)
{
	if (!differ.options->as_layer) {
		intmax_t size = kind != 'D' && S_ISREG(file->status.st_mode) ? (intmax_t)file->status.st_size : 0;
		if (printf("%c %jd %s", kind, size, differ.path) < 0 || putchar('\0') == EOF)
			fail_errno("write of the changes", NULL);
		if (kind != 'D')
			close(file->found);
	} else if (kind == 'D') {
		pack_hidden(differ.path);
	} else {
		pack_path(differ.path, file->found, &file->status);
	}
}

/* A directory comes before what is in it. */
static void tell_levels(struct level *level)
{
	if (level->told || level->above == NULL)
		return;
	tell_levels(level->above);
	char after = differ.path[level->path_end];
	differ.path[level->path_end] = '\0';
	struct file file = open_file(differ.top, differ.path);
	if (file.found >= 0)
		tell('M', &file);
	differ.path[level->path_end] = after;
	level->told = true;
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
	struct file own = open_file(differ.top, differ.path);

	if (own.found < 0)
		return; /* it has gone meanwhile */
	struct shown *inside = memory(sizeof *inside);
	struct file below = find_below(differ.layers, shown, differ.path, inside).file;
	char kind = below.found < 0 ? 'A' : same_file(&own, &below, &differ.options->made, differ.path) ? 0 : 'M';
	if (below.found >= 0)
		close(below.found);
	int directory = S_ISDIR(own.status.st_mode) ? reopen_directory(own.found) : -1;
	if (kind != 0) {
		tell_levels(level);
		tell(kind, &own);
	} else {
		close(own.found);
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

	differ.path[level->path_end] = '\0';
	int found = level->above == NULL ? fcntl(differ.layers[layer], F_DUPFD_CLOEXEC, 3)
					 : open_file(differ.layers[layer], differ.path).found;
	if (found < 0)
		fail_errno("open of a directory of a layer", differ.path);
	names_read(&names, reopen_directory(found), differ.path);
	close(found);
	for (size_t index = 0; index < names.count; index++) {
		if (strncmp(names.texts[index], ".wh.", 4) == 0 || has_name(own, names.texts[index]) || !enter(level->path_end, names.texts[index]))
			continue;
		struct below below = find_below(differ.layers, shown, differ.path, inside);
		if (below.file.found >= 0 && below.layer == layer) {
			tell_levels(level);
			tell('D', &below.file);
		}
		if (below.file.found >= 0)
			close(below.file.found);
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
