/* What comes in from outside: archives, and trees that are copied as archives are unpacked. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
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
#include "arguments.h"
#include "operations.h"
#include "pack.h"

static struct tree tree;
static struct archive archive;
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

void run_write(int root)
{
	char *path = take();
	uint64_t depth;

	tree_use(&tree, root, &limits);
	tree.literal = true;
	tree.keep_top = true;
	tree.keep_kinds = take_number() != 0;
	char *owner = take_unless_dash();
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
		struct pack_options options = { .same_filesystem = !layer, .layer = layer, .plain_whiteouts = layer };
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

void run_copy_out(int root, int target)
{
	char *path = take();
	int top = beneath_open(root, path, O_PATH | O_DIRECTORY);

	if (top >= 0) {
		copy_tree(top, path, target, false);
		/* It is copied once, when the volume is empty: after a loss of power, files without content would stay. */
		if (syncfs(target) < 0)
			fail_errno("sync", path);
	} else if (errno == ENOTDIR && beneath_open(root, path, O_PATH) >= 0)
		fail("not-a-directory", path, "source /%s is not directory", path);
	else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		fail_errno("open", path);
	begin();
}

void run_lay_over(int root, int target)
{
	copy_tree(root, take(), target, true);
	begin();
}
