#pragma once

#include <sys/stat.h>

/* The files with several names that have been seen. */
struct hard_links;

/* The name under which this file was first seen; NULL when that is now, and `name` is kept. */
const char *hard_links_first(struct hard_links **links, const struct stat *status, const char *name);
