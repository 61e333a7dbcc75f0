#pragma once

#include <stdbool.h>

#include "archive-writer.h"

struct pack_options {
	bool same_filesystem; /* nothing of what is mounted below the top */
	char **skipped; /* paths from the top that are left out, ended by NULL; or NULL */
	bool layer; /* overlayfs' marks become the whiteouts of a layer (OCI image-spec, layer.md) */
	bool flat; /* of a directory itself only */
};

/*
 * Writes the file or the tree behind an O_PATH descriptor. `name` is what the archive calls it: "etc"; "/" puts a slash
 * before every name; "." stands for the directory that it is unpacked into; "" leaves the top itself out. What
 * changes or goes meanwhile is told as it was when it was looked at; sockets are left out.
 */
void pack(struct archive *archive, int top, const char *name, const struct pack_options *options);

/* A layer of chosen paths from the top, a directory before what is in it. `found` is taken. */
void pack_begin(struct archive *archive, int top);
void pack_path(const char *path, int found, const struct stat *status);
void pack_hidden(const char *path);
