/* The shim's way from a plan to a running first process, and back when it fails. */
#ifndef BERTH_LAUNCH_H
#define BERTH_LAUNCH_H

#include "setup.h"

/* Makes everything up to the point where the child has called execve; warnings go to `notify`. */
int launch_start(struct launch *launch, const struct plan *plan, int notify, struct report *report);
/* Removes what launch_start made. */
void launch_undo(struct launch *launch);

#endif
