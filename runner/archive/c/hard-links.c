#include "hard-links.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../image/unpack/report.h"

#define MAX_BYTES (256u << 20)

struct seen {
	dev_t device;
	ino_t number;
	char *name; /* NULL: an empty place */
};

struct hard_links {
	size_t count;
	size_t capacity; /* a power of two */
	size_t name_bytes;
	struct seen *places;
};

static struct seen *place_of(const struct hard_links *links, dev_t device, ino_t number)
{
	uint64_t hash = ((uint64_t)number + (uint64_t)device * 31) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(hash >> 20) & (links->capacity - 1);

	while (links->places[at].name != NULL && (links->places[at].number != number || links->places[at].device != device))
		at = (at + 1) & (links->capacity - 1);
	return &links->places[at];
}

static void *memory(size_t count, size_t size)
{
	void *bytes = calloc(count, size);

	if (bytes == NULL)
		fail("io", NULL, "out of memory");
	return bytes;
}

static void grow(struct hard_links *links)
{
	struct hard_links larger = { .count = links->count,
				     .capacity = links->capacity == 0 ? 1024 : links->capacity * 2,
				     .name_bytes = links->name_bytes };

	larger.places = memory(larger.capacity, sizeof *larger.places);
	for (size_t at = 0; at < links->capacity; at++)
		if (links->places[at].name != NULL)
			*place_of(&larger, links->places[at].device, links->places[at].number) = links->places[at];
	free(links->places);
	*links = larger;
}

const char *hard_links_first(struct hard_links **table, const struct stat *status, const char *name)
{
	if (*table == NULL)
		*table = memory(1, sizeof **table);
	struct hard_links *links = *table;
	if (links->count * 2 >= links->capacity)
		grow(links);
	struct seen *place = place_of(links, status->st_dev, status->st_ino);
	if (place->name != NULL)
		return place->name;
	links->name_bytes += strlen(name) + 1 + sizeof *place * 2;
	if (links->name_bytes > MAX_BYTES)
		fail("too-large", name, "the files with several names take more than %u bytes", MAX_BYTES);
	place->name = strdup(name);
	if (place->name == NULL)
		fail("io", NULL, "out of memory");
	place->device = status->st_dev;
	place->number = status->st_ino;
	links->count++;
	return NULL;
}
