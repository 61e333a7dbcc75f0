#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "header.h"
#include "tree.h"

/*
 * OCI whiteouts (image-spec, layer.md, "Whiteouts") as overlayfs understands them in a lower layer (kernel
 * Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"): a character device 0:0, and
 * trusted.overlay.opaque on a directory.
 */
#define WHITEOUT_PREFIX_BYTES 4 /* ".wh." */

bool whiteout_name(const char *base);
void whiteout_add(struct tree *tree, const struct entry *entry, const char *parent_path, int parent, const char *base);
/* Removes what it hides. An opaque mark comes right after its directory's entry, before what the layer has in there. */
void whiteout_apply(const struct entry *entry, int parent, const char *base);
bool whiteout_is(const struct stat *found);
void whiteout_make_opaque(int directory, const char *entry);
