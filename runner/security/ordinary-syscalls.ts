/**
 * The system calls that every container may make whatever its capabilities, by what they are for. They act on the
 * caller's own process, its files and its namespaces; the kernel's ordinary permission checks do the rest. The set is
 * the one of Docker's default profile; names that an architecture lacks are no error.
 */
export const ordinarySyscalls = {
  /** System V and POSIX message queues, semaphores and shared memory. */
  sharedMemoryAndQueues: words(`
    ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
    mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
  `),
  /** Sockets, but for their creation, which has rules of its own; 32-bit socketcall. */
  sockets: words(`
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
    recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
  `),
  /** Signals, by number and by pidfd. */
  signals: words(`
    alarm kill pause pidfd_send_signal restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd
    signalfd4 sigprocmask sigreturn tgkill tkill
  `),
  /** User and group ids, capabilities of the caller, sessions and process groups. */
  identity: words(`
    capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp
    getresgid getresgid32 getresuid getresuid32 getsid getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32
    setgid setgid32 setgroups setgroups32 setpgid setregid setregid32 setresgid setresgid32 setresuid setresuid32
    setreuid setreuid32 setsid setuid setuid32
  `),
  /** Reading clocks, sleeping and timers; setting a clock is by capability. */
  clocksAndTimers: words(`
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
    timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
    timerfd_gettime64 timerfd_settime timerfd_settime64 times
  `),
  /** Priorities, affinity and limits. */
  scheduling: words(`
    getcpu getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
    setpriority setrlimit ugetrlimit
  `),
  /** Waiting for events and each other: poll, select, epoll, futex, inotify, asynchronous I/O. */
  waiting: words(`
    _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
    eventfd eventfd2 fanotify_mark futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
    get_robust_list inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
    io_pgetevents io_pgetevents_time64 io_setup io_submit membarrier poll ppoll ppoll_time64 pselect6
    pselect6_time64 rseq select set_robust_list
  `),
  /** Mapping, locking and protecting memory. */
  memory: words(`
    brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap
    mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
  `),
  /** Extended attributes of files. */
  extendedAttributes: words(`
    fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
    lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
  `),
  /** Making, ending, tracing and knowing processes and threads; sandboxing oneself. */
  processes: words(`
    execve execveat exit exit_group fork get_thread_area getpid getppid getrandom gettid landlock_add_rule
    landlock_create_ruleset landlock_restrict_self pidfd_open prctl riscv_hwprobe seccomp set_thread_area
    set_tid_address sysinfo umask uname uretprobe vfork wait4 waitid waitpid
  `),
  /** Names, owners, modes, times and space of files. */
  fileMetadata: words(`
    access chdir chmod chown chown32 creat faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchown32
    fchownat fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat getcwd getdents getdents64 lchown lchown32 link
    linkat listmount lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2
    readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statmount statx symlink
    symlinkat unlink unlinkat utime utimensat utimensat_time64 utimes
  `),
  /** Reading, writing and positioning in open files. */
  fileContent: words(`
    _llseek cachestat close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl fcntl64
    fdatasync flock fsync ftruncate ftruncate64 ioctl lseek pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev
    pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range syncfs tee truncate truncate64
    vmsplice write writev
  `),
} as const satisfies Record<string, readonly string[]>;

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
