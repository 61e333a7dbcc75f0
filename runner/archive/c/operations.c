#include "operations.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../image/unpack/beneath.h"
#include "../../image/unpack/report.h"
#include "arguments.h"
#include "changes.h"
#include "pack.h"
#include "path-stat.h"
#include "subvolume.h"

int open_path(int root, const char *path, int flags)
{
	int found = beneath_open(root, path, flags);

	/* Nothing can be under a name that the kernel does not take. */
	if (found < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG))
		fail("unknown", path, "%s", strerror(errno));
	if (found < 0)
		fail_errno("open", path);
	return found;
}

void begin(void)
{
	report_text("{\"ok\":true}\n");
	report_flush();
}

void run_stat(int root)
{
	char *path = take();
	bool follow = take_number() != 0;

	path_stat(root, path, open_path(root, path, O_PATH | (follow ? 0 : O_NOFOLLOW)));
}

static struct archive archive;

void run_read(int root)
{
	char *path = take();
	bool follow = take_number() != 0;
	char *name = take(), *flags = take();
	struct pack_options options = { .same_filesystem = strchr(flags, 'x') != NULL, .layer = strchr(flags, 'l') != NULL,
				       .skipped = take_rest() };

	int top = open_path(root, path, O_PATH | (follow ? 0 : O_NOFOLLOW));
	begin();
	archive_open(&archive, STDOUT_FILENO);
	archive.nanoseconds = options.layer;
	pack(&archive, top, name, &options);
}

void run_changes(int root)
{
	static int layers[CHANGES_MAX_LAYERS];
	struct changes_options options = { .as_layer = strcmp(take(), "layer") == 0 };

	options.made.tv_sec = (time_t)take_number();
	options.made.tv_nsec = (long)take_number();
	size_t count = take_number();
	if (count == 0 || count > CHANGES_MAX_LAYERS)
		fail("io", NULL, "a root of %zu layers", count);
	for (size_t index = 0; index < count; index++) {
		char *path = take();
		layers[index] = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (layers[index] < 0)
			fail_errno("open of a layer", path);
	}
	options.skipped = take_rest();
	begin();
	changes_tell(root, layers, count, &options);
}

/* As a container does that deletes a file of its image, and a directory to make it anew. */
void run_probe(int root)
{
	char *file = take(), *directory = take();

	if (unlinkat(root, file, 0) < 0)
		fail_errno("remove a file of a lower layer", file);
	if (unlinkat(root, directory, AT_REMOVEDIR) < 0 || mkdirat(root, directory, 0755) < 0)
		fail_errno("replace a directory of a lower layer", directory);
	begin();
}

void run_subvolume(int root)
{
	char *what = take();

	if (strcmp(what, "make") == 0) {
		subvolume_make(root, take());
	} else if (strcmp(what, "remove") == 0) {
		subvolume_remove(root, take());
	} else {
		char *source = take();
		subvolume_snapshot(root, source, take(), strcmp(what, "seal") == 0);
	}
	begin();
}
