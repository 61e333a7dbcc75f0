#include "recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "beneath.h"
#include "report.h"

#define BUFFER_BYTES (64u << 10)

struct recipe {
	gzFile file;
	size_t used;
	uint8_t bytes[BUFFER_BYTES];
};

static void put(struct recipe *recipe, const void *bytes, size_t count)
{
	if (gzwrite(recipe->file, bytes, (unsigned)count) != (int)count)
		fail("io", NULL, "write of the layer's recipe: %s", strerror(errno));
}

static void flush(struct recipe *recipe)
{
	uint32_t count = (uint32_t)recipe->used;

	if (count == 0)
		return;
	put(recipe, "B", 1);
	put(recipe, &count, sizeof count);
	put(recipe, recipe->bytes, count);
	recipe->used = 0;
}

struct recipe *recipe_create(const char *path)
{
	struct recipe *recipe = calloc(1, sizeof *recipe);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_errno("create of the layer's recipe", path);
	if (recipe == NULL || (recipe->file = gzdopen(fd, "wb1")) == NULL)
		fail("io", NULL, "out of memory");
	return recipe;
}

void recipe_bytes(struct recipe *recipe, const uint8_t *bytes, size_t count)
{
	while (count > 0) {
		size_t part = BUFFER_BYTES - recipe->used;
		if (part > count)
			part = count;
		memcpy(recipe->bytes + recipe->used, bytes, part);
		recipe->used += part;
		bytes += part;
		count -= part;
		if (recipe->used == BUFFER_BYTES)
			flush(recipe);
	}
}

void recipe_content(struct recipe *recipe, const char *path, uint64_t size)
{
	uint32_t length = (uint32_t)strlen(path);

	if (size == 0)
		return;
	flush(recipe);
	put(recipe, "C", 1);
	put(recipe, &size, sizeof size);
	put(recipe, &length, sizeof length);
	put(recipe, path, length);
}

void recipe_close(struct recipe *recipe)
{
	flush(recipe);
	if (gzclose(recipe->file) != Z_OK)
		fail("io", NULL, "write of the layer's recipe: %s", strerror(errno));
	free(recipe);
}

static void take(gzFile file, void *bytes, size_t count)
{
	if (gzread(file, bytes, (unsigned)count) != (int)count)
		fail("corrupt", NULL, "the layer's recipe is damaged");
}

static void write_all(int output, const uint8_t *bytes, size_t count)
{
	while (count > 0) {
		ssize_t written = write(output, bytes, count);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			fail_errno("write of the tar", NULL);
		bytes += written;
		count -= (size_t)written;
	}
}

static void follow_content(gzFile file, int root, int output)
{
	char path[PATH_MAX];
	uint64_t size;
	uint32_t length;
	struct stat found;

	take(file, &size, sizeof size);
	take(file, &length, sizeof length);
	if (length >= sizeof path)
		fail("corrupt", NULL, "the layer's recipe is damaged");
	take(file, path, length);
	path[length] = '\0';
	/* A layer's tree may hold a FIFO or a device by that name when an entry was replaced: it is not waited for. */
	int fd = beneath_open(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &found) < 0)
		fail_errno("open of a layer's file", path);
	if (!S_ISREG(found.st_mode) || (uint64_t)found.st_size != size)
		fail("corrupt", path, "the layer's file is not what was unpacked");
	while (size > 0) {
		static uint8_t buffer[BUFFER_BYTES];
		ssize_t count = read(fd, buffer, size < sizeof buffer ? (size_t)size : sizeof buffer);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			fail_errno("read of a layer's file", path);
		if (count == 0)
			fail("corrupt", path, "the layer's file is not what was unpacked");
		write_all(output, buffer, (size_t)count);
		size -= (uint64_t)count;
	}
	close(fd);
}

void recipe_follow(const char *recipe, int root, int output)
{
	static uint8_t bytes[BUFFER_BYTES];
	int fd = open(recipe, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char kind;

	if (fd < 0)
		fail_errno("open of the layer's recipe", recipe);
	gzFile file = gzdopen(fd, "rb");
	if (file == NULL)
		fail("io", NULL, "out of memory");
	while (gzread(file, &kind, 1) == 1) {
		uint32_t count;
		if (kind == 'C') {
			follow_content(file, root, output);
			continue;
		}
		take(file, &count, sizeof count);
		if (kind != 'B' || count > sizeof bytes)
			fail("corrupt", NULL, "the layer's recipe is damaged");
		take(file, bytes, count);
		write_all(output, bytes, count);
	}
	gzclose(file);
}
