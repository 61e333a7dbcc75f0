#include "archive-writer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../image/unpack/header.h"
#include "../../image/unpack/report.h"

#define BLOCK 512u

struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
		owner[32], group[32], device_major[8], device_minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "a tar header is one block");

/* The records of one extended header; an entry that has more attributes than fit loses those that do not. */
struct records {
	size_t used;
	char bytes[PAX_BYTES];
};

static struct records records;

void archive_open(struct archive *archive, int fd)
{
	archive->fd = fd;
	archive->used = 0;
}

static void flush(struct archive *archive)
{
	for (size_t done = 0; done < archive->used;) {
		ssize_t written = write(archive->fd, archive->buffer + done, archive->used - done);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			fail_errno("write of the archive", NULL);
		done += (size_t)written;
	}
	archive->used = 0;
}

void archive_bytes(struct archive *archive, const void *bytes, size_t count)
{
	const uint8_t *from = bytes;

	while (count > 0) {
		size_t part = sizeof archive->buffer - archive->used;
		if (part > count)
			part = count;
		memcpy(archive->buffer + archive->used, from, part);
		archive->used += part;
		from += part;
		count -= part;
		if (archive->used == sizeof archive->buffer)
			flush(archive);
	}
}

void archive_pad(struct archive *archive, uint64_t size)
{
	static const uint8_t zeros[BLOCK];

	archive_bytes(archive, zeros, header_padding(size));
}

void archive_close(struct archive *archive)
{
	static const uint8_t zeros[2 * BLOCK];

	archive_bytes(archive, zeros, sizeof zeros);
	flush(archive);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts the whole record, itself too. */
static void add_record(const char *key, const void *value, size_t bytes)
{
	size_t body = 1 + strlen(key) + 1 + bytes + 1;
	size_t length = body;
	char text[24];

	for (;;) {
		size_t whole = body + (size_t)snprintf(text, sizeof text, "%zu", length);
		if (whole == length)
			break;
		length = whole;
	}
	if (records.used + length > sizeof records.bytes)
		return;
	char *at = records.bytes + records.used;
	at += sprintf(at, "%zu %s=", length, key);
	memcpy(at, value, bytes);
	at[bytes] = '\n';
	records.used += length;
}

static void add_number(const char *key, uint64_t value)
{
	char text[24];

	add_record(key, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

/* Octal, zero-terminated; when it does not fit, the field says 0 and the extended header the number. */
static void number(char *field, size_t width, uint64_t value, const char *key)
{
	char text[32];
	int length = snprintf(text, sizeof text, "%0*" PRIo64, (int)width - 1, value);

	if (length > (int)width - 1) {
		if (key != NULL)
			add_number(key, value);
		snprintf(text, sizeof text, "%0*o", (int)width - 1, 0);
	}
	memcpy(field, text, width);
}

static void modification_time(struct ustar *header, const struct archive *archive, const struct stat *status)
{
	const struct timespec *time = &status->st_mtim;
	bool precise = archive->nanoseconds && time->tv_nsec != 0;
	char text[48];

	if (time->tv_sec < 0 || precise) {
		bool back = time->tv_sec < 0 && precise; /* -1.5 is second -2 and half a second more */
		int64_t seconds = back ? time->tv_sec + 1 : time->tv_sec;
		long nanoseconds = back ? 1000000000 - time->tv_nsec : time->tv_nsec;
		int length = snprintf(text, sizeof text, back && seconds == 0 ? "-%" PRId64 : "%" PRId64, seconds);
		if (precise)
			length += snprintf(text + length, sizeof text - (size_t)length, ".%09ld", nanoseconds);
		add_record("mtime", text, (size_t)length);
	}
	number(header->mtime, sizeof header->mtime, time->tv_sec < 0 ? 0 : (uint64_t)time->tv_sec, "mtime");
}

static bool is_taken_along(const char *name)
{
	if (strncmp(name, "user.overlay.", 13) == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

/* By way of /proc, since an O_PATH descriptor has no attributes of its own; symlinks have none that we take. */
static void add_attributes(const struct member *member)
{
	static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
	char self[32], key[XATTR_NAME_MAX + 16];

	if (member->descriptor < 0 || member->type == '2')
		return;
	snprintf(self, sizeof self, "/proc/self/fd/%d", member->descriptor);
	ssize_t bytes = listxattr(self, names, sizeof names);
	for (ssize_t at = 0; at < bytes; at += (ssize_t)strlen(names + at) + 1) {
		if (!is_taken_along(names + at) || strlen(names + at) > XATTR_NAME_MAX || strchr(names + at, '=') != NULL)
			continue;
		ssize_t size = getxattr(self, names + at, value, sizeof value);
		if (size < 0)
			continue;
		snprintf(key, sizeof key, "SCHILY.xattr.%s", names + at);
		add_record(key, value, (size_t)size);
	}
}

static void put_header(struct archive *archive, struct ustar *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned sum = 0;

	memcpy(header->magic, "ustar", 6);
	memcpy(header->version, "00", 2);
	memset(header->checksum, ' ', sizeof header->checksum);
	for (size_t at = 0; at < BLOCK; at++)
		sum += bytes[at];
	snprintf(header->checksum, sizeof header->checksum, "%06o", sum);
	archive_bytes(archive, header, BLOCK);
}

static void put_records(struct archive *archive)
{
	struct ustar header = { .type = 'x' };

	if (records.used == 0)
		return;
	memcpy(header.name, "PaxHeaders.0/entry", 18);
	number(header.mode, sizeof header.mode, 0644, NULL);
	number(header.uid, sizeof header.uid, 0, NULL);
	number(header.gid, sizeof header.gid, 0, NULL);
	number(header.size, sizeof header.size, records.used, NULL);
	number(header.mtime, sizeof header.mtime, 0, NULL);
	put_header(archive, &header);
	archive_bytes(archive, records.bytes, records.used);
	archive_pad(archive, records.used);
}

static void text_field(char *field, size_t width, const char *text, const char *key)
{
	size_t length = strlen(text);

	if (length > width)
		add_record(key, text, length);
	memcpy(field, text, length < width ? length : width);
}

void archive_member(struct archive *archive, const struct member *member, const struct stat *status)
{
	struct ustar header = { .type = member->type };
	bool has_data = member->type == '0';
	bool device = member->type == '3' || member->type == '4';

	records.used = 0;
	text_field(header.name, sizeof header.name, member->name, "path");
	text_field(header.link, sizeof header.link, member->link, "linkpath");
	number(header.mode, sizeof header.mode, status->st_mode & 07777, NULL);
	number(header.uid, sizeof header.uid, status->st_uid, "uid");
	number(header.gid, sizeof header.gid, status->st_gid, "gid");
	number(header.size, sizeof header.size, has_data ? (uint64_t)status->st_size : 0, "size");
	modification_time(&header, archive, status);
	number(header.device_major, sizeof header.device_major, device ? major(status->st_rdev) : 0, NULL);
	number(header.device_minor, sizeof header.device_minor, device ? minor(status->st_rdev) : 0, NULL);
	add_attributes(member);
	put_records(archive);
	put_header(archive, &header);
}
