#ifndef BERTH_SECCOMP_PROGRAM_H
#define BERTH_SECCOMP_PROGRAM_H

/* Reads a rule table from standard input and writes the BPF program to standard output; returns the exit code. */
int seccomp_program_run(void);

#endif
