#pragma once

/* The operations on a view (its root as an O_PATH descriptor), see main.c; each takes its arguments. */

void run_stat(int root);
void run_read(int root);
void run_changes(int root);
void run_probe(int root);
void run_subvolume(int root);

/* incoming.c. `target`: the directory of the host that it is about, an argument of theirs already opened. */
void run_write(int root);
void run_copy_out(int root, int target);
void run_lay_over(int root, int target);

/* Says that it is done, or has begun. */
void begin(void);
/* Beneath the root, or fails. */
int open_path(int root, const char *path, int flags);
