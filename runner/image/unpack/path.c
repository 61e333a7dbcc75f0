#include "path.h"

#include <string.h>

static bool is_component(const char *at, size_t length, const char *text)
{
	return strlen(text) == length && strncmp(at, text, length) == 0;
}

bool path_clean(const char *name, char path[PATH_MAX], uint64_t *depth)
{
	size_t used = 0;

	*depth = 0;
	for (const char *at = name; *at != '\0';) {
		size_t length = strcspn(at, "/");
		if (is_component(at, length, "..")) {
			if (*depth == 0)
				return false;
			while (used > 0 && path[used - 1] != '/')
				used--;
			if (used > 0)
				used--;
			*depth -= 1;
		} else if (length > 0 && !is_component(at, length, ".")) {
			if (used > 0)
				path[used++] = '/';
			memcpy(path + used, at, length);
			used += length;
			*depth += 1;
		}
		at += length;
		if (*at == '/')
			at++;
	}
	path[used] = '\0';
	return true;
}

void path_split(const char *path, char parent[PATH_MAX], const char **base)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);

	memcpy(parent, path, length);
	parent[length] = '\0';
	*base = slash == NULL ? path : slash + 1;
}
