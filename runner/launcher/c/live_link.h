/* Links of a container that runs already. Each is performed by a process that ends soon: it changes its namespace. */
#ifndef BERTH_LIVE_LINK_H
#define BERTH_LIVE_LINK_H

#include "plan.h"

int live_link_connect(struct reader *reader, struct report *report);
int live_link_disconnect(struct reader *reader, struct report *report);
int live_link_set_gateway(struct reader *reader, struct report *report);

#endif
