/*
 * berth-files PARENT-PID VIEW -- OPERATION
 *
 * Files in and out of a container. It says what it found, or why it stopped, in one line of JSON on descriptor 3; for
 * `read` as soon as the archive begins, and again only when that fails. Exit status: 0 done, 1 refused or failed, 2 wrong
 * arguments.
 *
 *   VIEW       process PID CGROUP
 *              overlay UPPER|- WORK|- ro|rw COUNT LOWER...  [bind ro|rw SOURCE DESTINATION]...   (LOWER: uppermost first)
 *              directory PATH ro|rw  [bind ...]...
 *              tree PATH         a directory of the host as it is, which no container has mounted
 *   OPERATION  stat PATH FOLLOW
 *              read PATH FOLLOW NAME FLAGS SKIPPED...   the archive on stdout; FLAGS of: x (same file system), l (layer)
 *              write PATH KEEP-KINDS UID|- GID CONTENT-BYTES ENTRIES DEPTH RATIO   the archive on stdin
 *              copy-out PATH DIRECTORY
 *              lay-over DIRECTORY   a layer's tree upon what its lower layers have made of the directory (view: tree)
 *              changes list|layer SECONDS NANOSECONDS COUNT LOWER... SKIPPED...   of a complete root (view: tree) against
 *                                   its layers, uppermost first; it was made at that time
 *              probe FILE DIRECTORY   whether the overlay can hide a lower file, and a lower directory's content
 *              subvolume make NAME | snapshot SOURCE NAME | seal SOURCE NAME | remove NAME   of btrfs (view: tree)
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../../image/unpack/report.h"
#include "arguments.h"
#include "operations.h"

#define REPORT_FD 3

/* The target is a directory of the host: it is opened before the host's mounts are covered by anything. */
static int open_target(char **arguments)
{
	size_t last = 0;

	while (arguments[last] != NULL)
		last++;
	int target = open(arguments[last - 1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		fail_errno("open of the target directory", arguments[last - 1]);
	return target;
}

static bool asks_for(char **arguments, const char *operation)
{
	while (*arguments != NULL && strcmp(*arguments, "--") != 0)
		arguments++;
	return *arguments != NULL && arguments[1] != NULL && strcmp(arguments[1], operation) == 0;
}

/* Not to outlive the runner, which would not know of it. */
static void die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail_errno("prctl", NULL);
	if (getppid() != parent)
		exit(1);
}

int main(int count, char **arguments)
{
	if (count < 5)
		misused("PARENT-PID VIEW -- OPERATION");
	take_from(arguments + 1);
	signal(SIGPIPE, SIG_IGN);
	fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
	report_to(REPORT_FD);
	die_with_parent((pid_t)take_number());
	bool copies = asks_for(arguments, "copy-out") || asks_for(arguments, "lay-over");
	int target = copies ? open_target(arguments) : -1;
	int root = take_view();
	if (!take_if("--"))
		misused("no operation");
	if (take_if("stat"))
		run_stat(root);
	else if (take_if("read"))
		run_read(root);
	else if (take_if("write"))
		run_write(root);
	else if (take_if("copy-out"))
		run_copy_out(root, target);
	else if (take_if("lay-over"))
		run_lay_over(root, target);
	else if (take_if("changes"))
		run_changes(root);
	else if (take_if("probe"))
		run_probe(root);
	else if (take_if("subvolume"))
		run_subvolume(root);
	else
		misused("no such operation");
	return 0;
}
