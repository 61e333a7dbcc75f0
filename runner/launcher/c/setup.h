/* What the shim knows of its container, and what making the first process takes, whoever makes it. */
#ifndef BERTH_SETUP_H
#define BERTH_SETUP_H

#include "cgroup.h"
#include "container.h"
#include "plan.h"

#define MAX_LINKS 16

/* Names within the state directory. */
#define SOCKET_NAME "shim.sock"
#define EXIT_NAME "exit.json"
#define EXIT_NEW "exit.json.new"
#define LOG_NAME "container.log"

struct launch {
    struct shim_operation shim;
    struct restrictions restrictions;
    struct cgroup cgroup;
    struct link_operation links[MAX_LINKS];
    size_t link_count;
    int32_t oom_score;
    bool set_oom_score;
    uint64_t namespaces; /* new ones, CLONE_NEW* */
    struct join joins[MAX_JOINS];
    size_t join_count;
    int pid_namespace, user_namespace; /* to be joined by other means than the others, or -1 */
    uint32_t host_namespaces;          /* neither new nor another container's */
    struct id_maps_operation id_maps;
    bool has_id_maps;
    struct runtime_operation runtime; /* who makes the container; no binary: we do */
    int bundle, rootfs;               /* its directories, or -1 */
    int state; /* fd of the state directory */
    int listener;
    /* The first process. */
    pid_t pid;
    int pidfd;
    int sync;
    int standard_in, standard_out, standard_error; /* ours; -1 when there is none */
    int terminal;                                  /* the pty's master, or -1 */
};

/* clone3 into the cgroup of that directory (-1: ours), with a pidfd, or there is no child; 0 in the child. */
pid_t clone_into(int cgroup, uint64_t flags, int *pidfd);
/* Waits for a child's end; `end_child` kills it before. Until then the number is its own. */
void reap_child(pid_t pid);
void end_child(pid_t pid);
/* Has the container a user namespace that is not ours? */
bool has_user_namespace(const struct launch *launch);
/* The host's ends of the links, and the others in the network namespace of `launch->pid`, who is told by a byte. */
int make_links(struct launch *launch, struct report *report);
/* Lets the container's root have the pipes, whose owner is ours otherwise. */
void give_pipes(const struct launch *launch, const int theirs[3]);
/* Gives a process of the container the score that the plan says, if it does; a failure is told to `notify`, -1: nobody. */
void set_oom_score(const struct launch *launch, pid_t pid, int notify);
/* Pipes for a child's standard streams: `theirs` for the child, ours kept; without stdin theirs[0] is -1. */
int make_pipes(bool with_stdin, int ours[3], int theirs[3]);

#endif
