/* A container that an OCI runtime (runc, crun …) makes: the program is run for its operations, the rest is the shim's. */
#ifndef BERTH_RUNTIME_H
#define BERTH_RUNTIME_H

#include "setup.h"

/* In place of the child that we would make ourselves: `create`, then the links, then `start`. */
int runtime_start(struct launch *launch, const struct plan *plan, int notify, struct report *report);
/* Lets the runtime take away what it keeps of the container; idempotent. */
void runtime_delete(const struct launch *launch);

#endif
