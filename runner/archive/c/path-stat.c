#include "path-stat.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../image/unpack/beneath.h"
#include "../../image/unpack/report.h"

/* As many as the kernel follows, and some. */
#define MAX_LINKS 255

/* Puts a link's text before what is left of the path; false when that gets too long. */
static bool put_before(char rest[PATH_MAX], const char *link)
{
	static char text[PATH_MAX];
	size_t length = strlen(link);

	if (length + 1 + strlen(rest) >= PATH_MAX)
		return false;
	memcpy(text, link, length);
	text[length] = '/';
	strcpy(text + length + 1, rest);
	strcpy(rest, text);
	return true;
}

static void append(char path[PATH_MAX], const char *component, size_t length)
{
	size_t used = strlen(path);

	if (used > 0)
		path[used++] = '/';
	memcpy(path + used, component, length);
	path[used + length] = '\0';
}

static void drop_last(char path[PATH_MAX])
{
	char *slash = strrchr(path, '/');

	if (slash == NULL)
		path[0] = '\0';
	else
		*slash = '\0';
}

/*
 * The path that a path with symlinks leads to, also when there is nothing at its end. It is only told: whoever opens it
 * has it resolved by the kernel again.
 */
static bool resolve(int root, const char *path, char resolved[PATH_MAX])
{
	static char rest[PATH_MAX], link[PATH_MAX];
	int followed = 0;

	strcpy(rest, path);
	resolved[0] = '\0';
	while (rest[0] != '\0') {
		size_t length = strcspn(rest, "/");
		static char component[PATH_MAX];
		memcpy(component, rest, length);
		component[length] = '\0';
		memmove(rest, rest + length + (rest[length] == '/'), strlen(rest + length + (rest[length] == '/')) + 1);
		if (length == 0 || strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0) {
			drop_last(resolved);
			continue;
		}
		if (strlen(resolved) + 1 + length >= PATH_MAX)
			return false;
		append(resolved, component, length);
		int found = beneath_open(root, resolved, O_PATH | O_NOFOLLOW);
		ssize_t bytes = found < 0 ? -1 : readlinkat(found, "", link, sizeof link - 1);
		if (found >= 0)
			close(found);
		if (bytes < 0)
			continue;
		link[bytes] = '\0';
		if (++followed > MAX_LINKS || !put_before(rest, link))
			return false;
		drop_last(resolved);
		if (link[0] == '/')
			resolved[0] = '\0';
	}
	return true;
}

void path_stat(int root, const char *path, int found)
{
	static char target[PATH_MAX];
	struct stat status;

	if (fstat(found, &status) < 0)
		fail_errno("stat", path);
	bool link = S_ISLNK(status.st_mode) && resolve(root, path, target);
	report_text("{\"ok\":true,\"size\":%lld,\"mode\":%u,\"seconds\":%lld,\"nanoseconds\":%ld,\"link\":",
		    (long long)status.st_size, status.st_mode, (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
	report_string(link ? target : "");
	report_text(",\"isLink\":%s}\n", S_ISLNK(status.st_mode) ? "true" : "false");
	report_flush();
}
