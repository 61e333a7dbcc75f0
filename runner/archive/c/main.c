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
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../image/unpack/beneath.h"
#include "../../image/unpack/header.h"
#include "../../image/unpack/input.h"
#include "../../image/unpack/path.h"
#include "../../image/unpack/report.h"
#include "../../image/unpack/tree.h"
#include "changes.h"
#include "pack.h"
#include "path-stat.h"
#include "subvolume.h"
#include "view.h"

#define REPORT_FD 3

/* The arguments not yet taken; NULL ends them. */
static char **next_argument;

static _Noreturn void misused(const char *why)
{
	fprintf(stderr, "berth-files: %s\n", why);
	exit(2);
}

static char *take(void)
{
	if (*next_argument == NULL)
		misused("an argument is missing");
	return *next_argument++;
}

static bool take_if(const char *word)
{
	if (*next_argument == NULL || strcmp(*next_argument, word) != 0)
		return false;
	next_argument++;
	return true;
}

static uint64_t take_number(void)
{
	char *text = take(), *end;

	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0')
		misused("an argument is no number");
	return value;
}

static size_t take_binds(struct bind *binds, size_t room)
{
	size_t count = 0;

	while (take_if("bind")) {
		if (count == room)
			misused("too many mounts");
		bool readonly = strcmp(take(), "ro") == 0;
		char *source = take();
		binds[count++] = (struct bind){ .readonly = readonly, .source = source, .destination = take() };
	}
	return count;
}

static char *unless_dash(char *text)
{
	return strcmp(text, "-") == 0 ? NULL : text;
}

static int take_overlay(struct bind *binds, size_t room)
{
	struct overlay overlay = { .upper = unless_dash(take()) };
	overlay.work = unless_dash(take());
	bool readonly = strcmp(take(), "ro") == 0;

	overlay.lower_count = take_number();
	overlay.lower = next_argument;
	for (size_t index = 0; index < overlay.lower_count; index++)
		take();
	size_t count = take_binds(binds, room);
	return view_overlay(&overlay, readonly, binds, count);
}

static int take_view(void)
{
	static struct bind binds[1000];
	const size_t room = sizeof binds / sizeof *binds;

	if (take_if("process")) {
		pid_t pid = (pid_t)take_number();
		return view_process(pid, take());
	}
	if (take_if("overlay"))
		return take_overlay(binds, room);
	if (take_if("directory")) {
		char *path = take();
		bool readonly = strcmp(take(), "ro") == 0;
		size_t count = take_binds(binds, room);
		return view_directory(path, readonly, binds, count);
	}
	if (!take_if("tree"))
		misused("no such view");
	char *path = take();
	int root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		fail_errno("open", path);
	return root;
}

static int open_path(int root, const char *path, int flags)
{
	int found = beneath_open(root, path, flags);

	/* Nothing can be under a name that the kernel does not take. */
	if (found < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG))
		fail("unknown", path, "%s", strerror(errno));
	if (found < 0)
		fail_errno("open", path);
	return found;
}

static void begin(void)
{
	report_text("{\"ok\":true}\n");
	report_flush();
}

static void run_stat(int root)
{
	char *path = take();
	bool follow = take_number() != 0;

	path_stat(root, path, open_path(root, path, O_PATH | (follow ? 0 : O_NOFOLLOW)));
}

static struct archive archive;

static void run_read(int root)
{
	char *path = take();
	bool follow = take_number() != 0;
	char *name = take(), *flags = take();
	struct pack_options options = { .same_filesystem = strchr(flags, 'x') != NULL, .layer = strchr(flags, 'l') != NULL,
				       .skipped = next_argument };

	int top = open_path(root, path, O_PATH | (follow ? 0 : O_NOFOLLOW));
	begin();
	archive_open(&archive, STDOUT_FILENO);
	archive.nanoseconds = options.layer;
	pack(&archive, top, name, &options);
}

static struct tree tree;
static struct input input;
static struct entry entry;
static struct limits limits;

static void unpack_all(int fd, bool has_owner, uid_t uid, gid_t gid)
{
	umask(0);
	input_open(&input, fd, &limits);
	for (bool first = true; header_next(&input, &entry, first); first = false) {
		if (has_owner) {
			entry.uid = uid;
			entry.gid = gid;
		}
		tree_add(&tree, &input, &entry);
	}
	input_drain(&input);
	tree_finish(&tree);
}

static void check_writable(int root, int directory)
{
	struct statvfs system;
	struct stat top, own;

	if (fstatvfs(directory, &system) < 0 || fstat(directory, &own) < 0 || fstat(root, &top) < 0)
		fail_errno("stat of the file system", NULL);
	if ((system.f_flag & ST_RDONLY) == 0)
		return;
	if (own.st_dev == top.st_dev)
		fail("read-only-root", NULL, "container rootfs is marked read-only");
	fail("read-only-volume", NULL, "mounted volume is marked read-only");
}

static void run_write(int root)
{
	char *path = take();
	uint64_t depth;

	tree_use(&tree, root, &limits);
	tree.literal = true;
	tree.keep_top = true;
	tree.keep_kinds = take_number() != 0;
	char *owner = unless_dash(take());
	uid_t uid = owner == NULL ? 0 : (uid_t)strtoul(owner, NULL, 10);
	gid_t gid = (gid_t)take_number();
	limits.content_bytes = take_number();
	limits.entries = take_number();
	limits.depth = take_number();
	limits.ratio = take_number();
	int directory = open_path(root, path, O_PATH);
	struct stat found;
	if (fstat(directory, &found) < 0 || !S_ISDIR(found.st_mode))
		fail("not-a-directory", path, "extraction point is not a directory");
	check_writable(root, directory);
	if (!path_clean(path, tree.prefix, &depth))
		fail("unknown", path, "it leads above the root");
	unpack_all(STDIN_FILENO, owner != NULL, uid, gid);
	begin();
}

/* One process reads, the other writes: with the checks and the order of an archive that came from anywhere. */
static void copy_tree(int top, const char *directory, int target, bool layer)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail_errno("pipe", directory);
	pid_t child = fork();
	if (child < 0)
		fail_errno("fork", directory);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		struct pack_options options = { .same_filesystem = !layer, .layer = layer };
		archive_open(&archive, ends[1]);
		archive.nanoseconds = true;
		pack(&archive, top, ".", &options);
		exit(0);
	}
	close(ends[1]);
	limits = (struct limits){
		.content_bytes = UINT64_MAX / 4, .entries = UINT64_MAX, .depth = PATH_MAX, .ratio = UINT64_MAX
	};
	tree_use(&tree, target, &limits);
	tree.literal = !layer;
	tree.applies = layer;
	unpack_all(ends[0], false, 0, 0);
	int status;
	if (waitpid(child, &status, 0) < 0 || status != 0)
		exit(1); /* it has said why */
}

static void run_copy_out(int root, int target, const char *path)
{
	int top = beneath_open(root, path, O_PATH | O_DIRECTORY);

	if (top >= 0)
		copy_tree(top, path, target, false);
	else if (errno == ENOTDIR && beneath_open(root, path, O_PATH) >= 0)
		fail("not-a-directory", path, "source /%s is not directory", path);
	else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		fail_errno("open", path);
	begin();
}

static void run_lay_over(int root, int target, const char *directory)
{
	copy_tree(root, directory, target, true);
	begin();
}

static void run_changes(int root)
{
	static int layers[CHANGES_MAX_LAYERS];
	struct changes_options options = { .as_layer = strcmp(take(), "layer") == 0 };

	options.made.tv_sec = (time_t)take_number();
	options.made.tv_nsec = (long)take_number();
	size_t count = take_number();
	if (count == 0 || count > CHANGES_MAX_LAYERS)
		fail("io", NULL, "a root of %zu layers", count);
	for (size_t index = 0; index < count; index++) {
		char *path = take();
		layers[index] = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (layers[index] < 0)
			fail_errno("open of a layer", path);
	}
	options.skipped = next_argument;
	begin();
	changes_tell(root, layers, count, &options);
}

/* As a container does that deletes a file of its image, and a directory to make it anew. */
static void run_probe(int root)
{
	char *file = take(), *directory = take();

	if (unlinkat(root, file, 0) < 0)
		fail_errno("remove a file of a lower layer", file);
	if (unlinkat(root, directory, AT_REMOVEDIR) < 0 || mkdirat(root, directory, 0755) < 0)
		fail_errno("replace a directory of a lower layer", directory);
	begin();
}

static void run_subvolume(int root)
{
	char *what = take();

	if (strcmp(what, "make") == 0) {
		subvolume_make(root, take());
	} else if (strcmp(what, "remove") == 0) {
		subvolume_remove(root, take());
	} else {
		char *source = take();
		subvolume_snapshot(root, source, take(), strcmp(what, "seal") == 0);
	}
	begin();
}

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
	next_argument = arguments + 1;
	signal(SIGPIPE, SIG_IGN);
	fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
	report_to(REPORT_FD);
	die_with_parent((pid_t)take_number());
	bool copies = asks_for(next_argument, "copy-out") || asks_for(next_argument, "lay-over");
	int target = copies ? open_target(next_argument) : -1;
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
		run_copy_out(root, target, take());
	else if (take_if("lay-over"))
		run_lay_over(root, target, take());
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
