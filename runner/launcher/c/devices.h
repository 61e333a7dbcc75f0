#ifndef BERTH_DEVICES_H
#define BERTH_DEVICES_H

#include "plan.h"

/* A detached mount of the host's node. */
int open_device(const struct device_operation *device, struct report *report);
/* `tree`: such a mount, or -1 to make a node. */
int make_device(int root, int tree, const struct device_operation *device, struct report *report);
/* Opens a pty in the container's devpts: *terminal is its other end, which becomes the stdio. */
int open_pty(int root, int *terminal, struct report *report);
int mount_console(int root, int terminal, struct report *report);

#endif
