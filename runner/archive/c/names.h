#pragma once

#include <stddef.h>

/* The names in one directory, sorted. */
struct names {
	size_t count;
	char **texts;
	size_t bytes;
};

/* Takes the descriptor. The memory of all that are not freed yet is capped. `entry` is for the error. */
void names_read(struct names *names, int directory, const char *entry);
void names_free(struct names *names);

/* An O_PATH descriptor of what is at the path beneath `top`; through no symlink. */
int names_open(int top, const char *path);
