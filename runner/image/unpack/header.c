#include "header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pax.h"
#include "report.h"

#define BLOCK 512u

/* POSIX.1-1988 ustar; the GNU format differs from `magic` on and has no prefix. */
struct block {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char owner[32];
	char group[32];
	char device_major[8];
	char device_minor[8];
	char prefix[155];
	char rest[12];
};
_Static_assert(sizeof(struct block) == BLOCK, "a tar header is one block");

unsigned header_padding(uint64_t size)
{
	return (unsigned)((BLOCK - size % BLOCK) % BLOCK);
}

static bool is_zero(const struct block *block)
{
	static const struct block zero;

	return memcmp(block, &zero, BLOCK) == 0;
}

/* GNU base-256: the first bit says so, the second is the sign. */
static int64_t binary_number(const char *field, size_t width, const char *entry)
{
	bool negative = ((unsigned char)field[0] & 0x40) != 0;
	uint64_t value = negative ? UINT64_MAX : 0;

	for (size_t index = 0; index < width; index++) {
		unsigned char byte = (unsigned char)field[index];
		if (index == 0)
			byte = negative ? (unsigned char)(byte | 0x80) : (unsigned char)(byte & 0x7f);
		if (value >> 55 != (negative ? UINT64_MAX >> 55 : 0))
			fail("corrupt", entry, "a number in the header does not fit 63 bits");
		value = value << 8 | byte;
	}
	return (int64_t)value;
}

/* Octal digits, padded with spaces or zero bytes at either end; an empty field is 0. */
static int64_t number(const char *field, size_t width, const char *entry)
{
	int64_t value = 0;
	size_t at = 0;

	if (((unsigned char)field[0] & 0x80) != 0)
		return binary_number(field, width, entry);
	while (at < width && (field[at] == ' ' || field[at] == '\0'))
		at++;
	for (; at < width && field[at] >= '0' && field[at] <= '7'; at++)
		value = value << 3 | (field[at] - '0');
	for (; at < width; at++)
		if (field[at] != ' ' && field[at] != '\0')
			fail("corrupt", entry, "a number in the header is not octal");
	return value;
}
#define NUMBER(field, entry) number((field), sizeof(field), (entry))

/* Old tars summed signed bytes; both are accepted, as by every reader. */
static bool checksum_holds(const struct block *block)
{
	const unsigned char *bytes = (const unsigned char *)block;
	int64_t plain = 0, with_sign = 0;

	for (size_t at = 0; at < BLOCK; at++) {
		bool own = at >= offsetof(struct block, checksum) && at < offsetof(struct block, type);
		plain += own ? ' ' : bytes[at];
		with_sign += own ? ' ' : (signed char)bytes[at];
	}
	for (size_t at = 0; at < sizeof block->checksum; at++) {
		char byte = block->checksum[at];
		if ((byte < '0' || byte > '7') && byte != ' ' && byte != '\0')
			return false;
	}
	int64_t stated = NUMBER(block->checksum, NULL);
	return stated == plain || stated == with_sign;
}

/* The data of a GNU long name or link, as a terminated text. */
static void read_long_text(struct input *input, uint64_t size, char text[PATH_MAX])
{
	if (size > PATH_MAX)
		fail("name-too-long", NULL, "a name of %llu bytes", (unsigned long long)size);
	if (size > 0 && !input_read(input, text, (size_t)size))
		fail("corrupt", NULL, "the tar ends inside a long name");
	if (size == PATH_MAX && text[PATH_MAX - 1] != '\0')
		fail("name-too-long", NULL, "a name of more than %d bytes", PATH_MAX - 1);
	if (size < PATH_MAX)
		text[size] = '\0';
	input_skip(input, header_padding(size));
}

static void fixed_text(char text[PATH_MAX], const char *field, size_t width)
{
	size_t length = strnlen(field, width);

	memcpy(text, field, length);
	text[length] = '\0';
}

static void name_from_block(struct entry *entry, const struct block *block)
{
	bool posix = memcmp(block->magic, "ustar\0", 6) == 0;
	size_t prefix = posix ? strnlen(block->prefix, sizeof block->prefix) : 0;

	fixed_text(entry->name, block->name, sizeof block->name);
	if (prefix > 0) {
		memmove(entry->name + prefix + 1, entry->name, strlen(entry->name) + 1);
		memcpy(entry->name, block->prefix, prefix);
		entry->name[prefix] = '/';
	}
}

static unsigned identity(int64_t value, const char *what, const struct entry *entry)
{
	if (value < 0 || value >= UINT32_MAX)
		fail("corrupt", entry->name, "%s %lld is out of range", what, (long long)value);
	return (unsigned)value;
}

/* What the entry's own block says; long names and the extended header then override it. */
static void fields_from_block(struct entry *entry, const struct block *block)
{
	name_from_block(entry, block);
	fixed_text(entry->link, block->link, sizeof block->link);
	int64_t size = NUMBER(block->size, entry->name);
	if (size < 0)
		fail("corrupt", entry->name, "a negative size");
	entry->size = (uint64_t)size;
	entry->type = block->type == '\0' || block->type == '7' ? '0' : block->type;
	entry->mode = (mode_t)(NUMBER(block->mode, entry->name) & 07777);
	entry->mtime = NUMBER(block->mtime, entry->name);
	entry->mtime_nanoseconds = 0;
	entry->device_major = 0;
	entry->device_minor = 0;
	if (entry->type == '3' || entry->type == '4') {
		entry->device_major = identity(NUMBER(block->device_major, entry->name), "device major", entry);
		entry->device_minor = identity(NUMBER(block->device_minor, entry->name), "device minor", entry);
	}
}

static void finish_entry(struct entry *entry, const struct block *block, const struct pax *pax)
{
	entry->uid = identity(pax->has_uid ? pax->uid : NUMBER(block->uid, entry->name), "uid", entry);
	entry->gid = identity(pax->has_gid ? pax->gid : NUMBER(block->gid, entry->name), "gid", entry);
	/* A v7 directory is a file whose name ends in a slash. */
	size_t length = strlen(entry->name);
	if (block->type == '\0' && length > 0 && entry->name[length - 1] == '/')
		entry->type = '5';
	/* Only a regular file has data, whatever the field says. */
	if (entry->type >= '1' && entry->type <= '6')
		entry->size = 0;
}

static bool next_block(struct input *input, struct block *block, bool first)
{
	if (!input_read(input, block, BLOCK))
		return false;
	if (is_zero(block)) {
		if (input_read(input, block, BLOCK) && !is_zero(block))
			fail("corrupt", NULL, "a single zero block inside the tar");
		return false;
	}
	if (!checksum_holds(block))
		fail(first ? "not-tar" : "corrupt", NULL, "a header's checksum does not hold");
	return true;
}

bool header_next(struct input *input, struct entry *entry, bool first)
{
	struct block block;
	struct pax pax = { 0 };
	static char long_name[PATH_MAX], long_link[PATH_MAX];
	bool has_name = false, has_link = false;

	entry->xattr_count = 0;
	for (;; first = false) {
		if (!next_block(input, &block, first)) {
			if (has_name || has_link || pax.seen)
				fail("corrupt", NULL, "the tar ends after an extended header");
			return false;
		}
		int64_t size = NUMBER(block.size, NULL);
		if (size < 0)
			fail("corrupt", NULL, "a negative size");
		if (block.type == 'L') {
			read_long_text(input, (uint64_t)size, long_name);
			has_name = true;
		} else if (block.type == 'K') {
			read_long_text(input, (uint64_t)size, long_link);
			has_link = true;
		} else if (block.type == 'x') {
			pax_read(input, (uint64_t)size, entry, &pax);
		} else if (block.type == 'g') {
			/* Global defaults: git archive's comment is the one use; Docker and containerd skip them too. */
			input_skip(input, (uint64_t)size);
			input_skip(input, header_padding((uint64_t)size));
		} else {
			break;
		}
	}
	fields_from_block(entry, &block);
	if (has_name)
		memcpy(entry->name, long_name, sizeof long_name);
	if (has_link)
		memcpy(entry->link, long_link, sizeof long_link);
	pax_apply(&pax, entry);
	finish_entry(entry, &block, &pax);
	return true;
}
