#ifndef BERTH_KERNEL_FILES_H
#define BERTH_KERNEL_FILES_H

#include "plan.h"

/* What is not there needs neither. */
int mask_path(int root, const char *path, struct report *report);
int make_path_readonly(int root, const char *path, struct report *report);
/* `name` with slashes, below /proc/sys. */
int write_sysctl(const char *name, const char *value, struct report *report);

#endif
