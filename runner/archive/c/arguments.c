#include "arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../image/unpack/report.h"
#include "view.h"

/* The arguments not yet taken; NULL ends them. */
static char **next_argument;

_Noreturn void misused(const char *why)
{
	fprintf(stderr, "berth-files: %s\n", why);
	exit(2);
}

void take_from(char **arguments)
{
	next_argument = arguments;
}

char *take(void)
{
	if (*next_argument == NULL)
		misused("an argument is missing");
	return *next_argument++;
}

bool take_if(const char *word)
{
	if (*next_argument == NULL || strcmp(*next_argument, word) != 0)
		return false;
	next_argument++;
	return true;
}

uint64_t take_number(void)
{
	char *text = take(), *end;

	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0')
		misused("an argument is no number");
	return value;
}

char *take_unless_dash(void)
{
	char *text = take();

	return strcmp(text, "-") == 0 ? NULL : text;
}

char **take_rest(void)
{
	char **rest = next_argument;

	while (*next_argument != NULL)
		next_argument++;
	return rest;
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

static int take_overlay(struct bind *binds, size_t room)
{
	struct overlay overlay = { .upper = take_unless_dash() };
	overlay.work = take_unless_dash();
	bool readonly = strcmp(take(), "ro") == 0;

	overlay.lower_count = take_number();
	overlay.lower = next_argument;
	for (size_t index = 0; index < overlay.lower_count; index++)
		take();
	size_t count = take_binds(binds, room);
	return view_overlay(&overlay, readonly, binds, count);
}

int take_view(void)
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
