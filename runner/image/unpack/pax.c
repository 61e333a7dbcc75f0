#include "pax.h"

#include <string.h>

#include "report.h"

static const char xattr_prefix[] = "SCHILY.xattr.";

/* Decimal digits up to `end` (a byte that is no digit); false when there are none or too many. */
static bool digits(const char **at, uint64_t *value)
{
	const char *start = *at;

	*value = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		if (*value > (UINT64_MAX >> 1) / 10 - 9)
			return false;
		*value = *value * 10 + (uint64_t)(**at - '0');
	}
	return *at != start;
}

static int64_t whole_number(const char *value, const char *key)
{
	uint64_t number;
	const char *at = value;

	if (!digits(&at, &number) || *at != '\0')
		fail("corrupt", NULL, "the extended header's %s is not a number", key);
	return (int64_t)number;
}

/* Seconds with a fraction, possibly negative: -1.5 is one and a half seconds before the epoch. */
static void time_value(const char *value, struct pax *pax)
{
	const char *at = value;
	bool negative = *at == '-';
	uint64_t seconds;
	long nanoseconds = 0;

	if (negative)
		at++;
	bool good = digits(&at, &seconds);
	if (good && *at == '.') {
		long unit = 100000000;
		for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
			nanoseconds += unit * (*at - '0');
	}
	if (!good || *at != '\0')
		fail("corrupt", NULL, "the extended header's mtime is not a time");
	pax->mtime = negative ? -(int64_t)seconds : (int64_t)seconds;
	if (negative && nanoseconds > 0) {
		pax->mtime -= 1;
		nanoseconds = 1000000000 - nanoseconds;
	}
	pax->mtime_nanoseconds = nanoseconds;
	pax->has_mtime = true;
}

static void add_xattr(struct entry *entry, const char *name, const char *value, size_t value_bytes)
{
	if (entry->xattr_count == MAX_XATTRS)
		fail("too-large", entry->name, "more than %d extended attributes", MAX_XATTRS);
	entry->xattrs[entry->xattr_count++] =
		(struct xattr){ .name = name, .value = (const uint8_t *)value, .value_bytes = value_bytes };
}

/* key and value are terminated; value_bytes does not count the terminator. */
static void record(struct entry *entry, struct pax *pax, const char *key, const char *value, size_t value_bytes)
{
	if (strncmp(key, xattr_prefix, sizeof xattr_prefix - 1) == 0) {
		add_xattr(entry, key + sizeof xattr_prefix - 1, value, value_bytes);
		return;
	}
	if (strncmp(key, "GNU.sparse.", 11) == 0)
		fail("unsupported", NULL, "a sparse file; make the tar without --sparse");
	bool text = strcmp(key, "path") == 0 || strcmp(key, "linkpath") == 0;
	if (text && strlen(value) != value_bytes)
		fail("corrupt", NULL, "the extended header's %s holds a zero byte", key);
	if (text && value_bytes >= PATH_MAX)
		fail("name-too-long", NULL, "a name of %zu bytes", value_bytes);
	if (strcmp(key, "path") == 0) {
		pax->path = value;
	} else if (strcmp(key, "linkpath") == 0) {
		pax->linkpath = value;
	} else if (strcmp(key, "size") == 0) {
		pax->size = (uint64_t)whole_number(value, key);
		pax->has_size = true;
	} else if (strcmp(key, "uid") == 0) {
		pax->uid = whole_number(value, key);
		pax->has_uid = true;
	} else if (strcmp(key, "gid") == 0) {
		pax->gid = whole_number(value, key);
		pax->has_gid = true;
	} else if (strcmp(key, "mtime") == 0) {
		time_value(value, pax);
	}
}

void pax_read(struct input *input, uint64_t size, struct entry *entry, struct pax *pax)
{
	if (size >= PAX_BYTES)
		fail("too-large", NULL, "an extended header of %llu bytes", (unsigned long long)size);
	*pax = (struct pax){ .seen = true };
	entry->xattr_count = 0;
	if (size > 0 && !input_read(input, entry->pax, (size_t)size))
		fail("corrupt", NULL, "the tar ends inside an extended header");
	input_skip(input, header_padding(size));
	entry->pax[size] = '\0';

	/* "LENGTH KEY=VALUE\n", where LENGTH counts the whole record. */
	for (char *at = entry->pax, *end = at + size; at < end;) {
		uint64_t length;
		const char *cursor = at;
		if (!digits(&cursor, &length) || *cursor != ' ' || length > (uint64_t)(end - at) ||
		    length < (uint64_t)(cursor - at) + 3 || at[length - 1] != '\n')
			fail("corrupt", NULL, "a malformed record in an extended header");
		char *key = at + (cursor - at) + 1;
		char *last = at + length - 1;
		char *equals = memchr(key, '=', (size_t)(last - key));
		if (equals == NULL || equals == key || memchr(key, '\0', (size_t)(equals - key)) != NULL)
			fail("corrupt", NULL, "a malformed record in an extended header");
		*equals = '\0';
		*last = '\0';
		record(entry, pax, key, equals + 1, (size_t)(last - equals - 1));
		at += length;
	}
}

void pax_apply(const struct pax *pax, struct entry *entry)
{
	if (pax->path != NULL)
		strcpy(entry->name, pax->path); /* record() checked its length */
	if (pax->linkpath != NULL)
		strcpy(entry->link, pax->linkpath);
	if (pax->has_size)
		entry->size = pax->size;
	if (pax->has_mtime) {
		entry->mtime = pax->mtime;
		entry->mtime_nanoseconds = pax->mtime_nanoseconds;
	}
}
