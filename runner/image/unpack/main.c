/*
 * berth-unpack DIRECTORY CONTENT-BYTES ENTRIES DEPTH RATIO PARENT-PID [RECIPE] < layer
 *
 * Writes the layer on stdin (a tar, plain or gzip) into DIRECTORY, which is empty and nobody else's, and says on stdout,
 * as one line of JSON, the digests of what it read and what it wrote, or why it stopped. On failure DIRECTORY holds
 * whatever had been written, for the caller to remove. Exit status: 0 done, 1 refused or failed, 2 wrong arguments.
 *
 * With RECIPE, a file that is made there: how the tar can be put together again from DIRECTORY (recipe.h).
 *
 * berth-unpack assemble DIRECTORY RECIPE PARENT-PID > tar
 *
 * The opposite, to the byte. Why it stopped is said on stderr.
 *
 * berth-unpack sync DIRECTORY
 *
 * Waits until the file system of DIRECTORY has everything on disk that was written to it before.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "header.h"
#include "input.h"
#include "limits.h"
#include "report.h"
#include "tree.h"

static struct limits limits;
static struct input input;
static struct entry entry;
static struct tree tree;

static uint64_t number(const char *text)
{
	char *end;

	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value == 0) {
		fprintf(stderr, "berth-unpack: \"%s\" is not a positive number\n", text);
		exit(2);
	}
	return value;
}

/* Not to outlive the runner: the next one sweeps this directory away, and must not find us writing into it. */
static void die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail_errno("prctl", NULL);
	if (getppid() != parent)
		exit(1);
}

static void report_success(void)
{
	char source[65], tar[65];

	input_digests(&input, source, tar);
	printf("{\"ok\":true,\"digest\":\"sha256:%s\",\"diffId\":\"sha256:%s\",\"sourceBytes\":%" PRIu64
	       ",\"tarBytes\":%" PRIu64 ",\"contentBytes\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"whiteouts\":%" PRIu64
	       ",\"skippedXattrs\":%" PRIu64 ",\"opaqueRoot\":%s,\"replaced\":%s}\n",
	       source, tar, input.source_bytes, input.tar_bytes, tree.content_bytes, tree.entries, tree.whiteouts,
	       tree.skipped_xattrs, tree.opaque_root ? "true" : "false",
	       tree.replaced ? "true" : "false");
}

static int sync_file_system(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && syncfs(fd) == 0)
		return 0;
	fprintf(stderr, "sync %s: %s\n", directory, strerror(errno));
	return 1;
}

static int assemble(const char *directory, const char *recipe, const char *parent)
{
	report_to(STDERR_FILENO);
	die_with_parent((pid_t)number(parent));
	int root = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		fail_errno("open of the layer", directory);
	recipe_follow(recipe, root, STDOUT_FILENO);
	return 0;
}

int main(int count, char **arguments)
{
	if (count == 3 && strcmp(arguments[1], "sync") == 0)
		return sync_file_system(arguments[2]);
	if (count == 5 && strcmp(arguments[1], "assemble") == 0)
		return assemble(arguments[2], arguments[3], arguments[4]);
	if (count != 7 && count != 8) {
		fprintf(stderr, "usage: berth-unpack DIRECTORY CONTENT-BYTES ENTRIES DEPTH RATIO PARENT-PID [RECIPE] < layer\n");
		return 2;
	}
	limits = (struct limits){ .content_bytes = number(arguments[2]),
				  .entries = number(arguments[3]),
				  .depth = number(arguments[4]),
				  .ratio = number(arguments[5]) };
	die_with_parent((pid_t)number(arguments[6]));
	umask(0);

	tree_open(&tree, arguments[1], &limits);
	input_open(&input, STDIN_FILENO, &limits);
	if (count == 8)
		input.recipe = recipe_create(arguments[7]);
	for (bool first = true; header_next(&input, &entry, first); first = false)
		tree_add(&tree, &input, &entry);
	input_drain(&input);
	tree_finish(&tree);
	if (input.recipe != NULL)
		recipe_close(input.recipe);
	report_success();
	return fflush(stdout) == 0 ? 0 : 1;
}
