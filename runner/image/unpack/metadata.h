#pragma once

#include <sys/stat.h>

#include "header.h"
#include "tree.h"

/* Owner, mode and those extended attributes that a layer may set; times are set after the content. */
void metadata_set(struct tree *tree, int fd, const struct entry *entry);

/* Owner, mode and times of what cannot be opened for that: symlinks, devices, fifos. */
void metadata_set_named(int parent, const char *base, const struct entry *entry);

/* The entry's time, for access and modification alike. */
void metadata_times(const struct entry *entry, struct timespec times[2]);
