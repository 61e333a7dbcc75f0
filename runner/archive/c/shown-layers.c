#include "shown-layers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../image/unpack/report.h"
#include "../../image/unpack/whiteout.h"
#include "names.h"

static bool is_opaque(int directory)
{
	char self[32], value[2];
	struct stat status;

	snprintf(self, sizeof self, "/proc/self/fd/%d", directory);
	if (getxattr(self, "trusted.overlay.opaque", value, sizeof value) == 1 && value[0] == 'y')
		return true;
	return fstatat(directory, ".wh..wh..opq", &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* By a file beside the path whose name says so. */
static bool is_hidden(int layer, const char *path)
{
	static char mark[PATH_MAX + 8];
	const char *slash = strrchr(path, '/');
	int directory = slash == NULL ? 0 : (int)(slash + 1 - path);

	snprintf(mark, sizeof mark, "%.*s.wh.%s", directory, path, path + directory);
	int found = names_open(layer, mark);
	if (found >= 0)
		close(found);
	return found >= 0;
}

struct file open_file(int top, const char *path)
{
	struct file file = { .found = names_open(top, path) };

	if (file.found < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		fail_errno("open", path);
	if (file.found >= 0 && fstat(file.found, &file.status) < 0)
		fail_errno("stat", path);
	return file;
}

struct below find_below(const int *layers, const struct shown *shown, const char *path, struct shown *inside)
{
	struct below below = { .file.found = -1 };

	inside->count = 0;
	for (size_t index = 0; index < shown->count; index++) {
		uint16_t layer = shown->layers[index];
		struct file file = open_file(layers[layer], path);
		bool hides = is_hidden(layers[layer], path);
		if (file.found < 0 && hides)
			break;
		if (file.found < 0)
			continue;
		bool directory = S_ISDIR(file.status.st_mode), first = below.file.found < 0;
		if (first && !whiteout_is(&file.status))
			below = (struct below){ .file = file, .layer = layer };
		if (directory)
			inside->layers[inside->count++] = layer;
		bool last = hides || !directory || is_opaque(file.found);
		if (below.file.found != file.found)
			close(file.found);
		if (last)
			break;
	}
	return below;
}
