/* The documents that an OCI runtime reads (runtime-spec, config.md). What is constant in them is the plan's. */
#ifndef BERTH_RUNTIME_JSON_H
#define BERTH_RUNTIME_JSON_H

#include "identity.h"

struct runtime_process {
    bool terminal;
    const struct identity *identity;
    const char *cwd;
    struct exec_operation exec;
    const char *rest; /* its other members */
};

/* Writes `name` in `directory`: the process alone, or with `config` before it the whole configuration. */
int runtime_json_write(int directory, const char *name, const struct strings *config,
                       const struct runtime_process *process, struct report *report);

#endif
