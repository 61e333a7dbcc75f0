#ifndef BERTH_SPAWNER_H
#define BERTH_SPAWNER_H

/* Serves the runner on descriptor 3 until it closes that. Returns the exit code of the program. */
int spawner_run(void);

#endif
