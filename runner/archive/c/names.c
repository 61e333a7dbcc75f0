#include "names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../image/unpack/report.h"

#define MAX_BYTES (512u << 20)

static size_t used;

static int compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void add(struct names *names, const char *text, const char *entry)
{
	size_t bytes = strlen(text) + 1 + 2 * sizeof(char *);

	names->bytes += bytes;
	used += bytes;
	if (used > MAX_BYTES)
		fail("too-large", entry, "the names in its directories take more than %u bytes", MAX_BYTES);
	if ((names->count & (names->count - 1)) == 0) {
		size_t capacity = names->count == 0 ? 1 : names->count * 2;
		names->texts = realloc(names->texts, capacity * sizeof *names->texts);
	}
	char *copy = strdup(text);
	if (names->texts == NULL || copy == NULL)
		fail("io", NULL, "out of memory");
	names->texts[names->count++] = copy;
}

void names_read(struct names *names, int directory, const char *entry)
{
	DIR *stream = fdopendir(directory);

	*names = (struct names){ 0 };
	if (stream == NULL)
		fail_errno("fdopendir", entry);
	errno = 0;
	for (struct dirent *child; (child = readdir(stream)) != NULL; errno = 0)
		if (strcmp(child->d_name, ".") != 0 && strcmp(child->d_name, "..") != 0)
			add(names, child->d_name, entry);
	if (errno != 0)
		fail_errno("readdir", entry);
	closedir(stream);
	if (names->count > 1)
		qsort(names->texts, names->count, sizeof *names->texts, compare);
}

void names_free(struct names *names)
{
	for (size_t index = 0; index < names->count; index++)
		free(names->texts[index]);
	free(names->texts);
	used -= names->bytes;
}

int names_open(int top, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	/* A symlink as the last component is opened itself. */
	do
		fd = syscall(SYS_openat2, top, path, &how, sizeof how);
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return (int)fd;
}
