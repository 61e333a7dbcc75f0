#pragma once

#include <stdbool.h>

/* Subvolumes of btrfs, named in a directory of theirs. Each call is one step: there before or not, never half. */
void subvolume_make(int directory, const char *name);
/* `source` is a path on the host; `readonly`: nobody can change it any more. */
void subvolume_snapshot(int directory, const char *source, const char *name, bool readonly);
void subvolume_remove(int directory, const char *name);
