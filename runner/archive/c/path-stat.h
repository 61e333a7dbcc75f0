#pragma once

/* Reports name, size, mode, time and, of a symlink, to which path in the container it leads. */
void path_stat(int root, const char *path, int found);
