#include "directory-times.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beneath.h"
#include "report.h"

#define MAX_BYTES (64u << 20)

struct time_record {
	int64_t seconds;
	int64_t nanoseconds;
	size_t path_bytes; /* with its terminator */
};

void directory_times_add(struct directory_times *times, const char *path, int64_t seconds, long nanoseconds)
{
	struct time_record record = { .seconds = seconds, .nanoseconds = nanoseconds, .path_bytes = strlen(path) + 1 };
	size_t need = times->used + sizeof record + record.path_bytes;

	if (need > MAX_BYTES)
		fail("too-large", path, "the names of its directories take more than %u bytes", MAX_BYTES);
	if (need > times->capacity) {
		times->capacity = need * 2;
		times->records = realloc(times->records, times->capacity);
		if (times->records == NULL)
			fail("io", path, "out of memory");
	}
	memcpy(times->records + times->used, &record, sizeof record);
	memcpy(times->records + times->used + sizeof record, path, record.path_bytes);
	times->used = need;
}

void directory_times_apply(struct directory_times *times, int root)
{
	for (size_t at = 0; at < times->used;) {
		struct time_record record;
		memcpy(&record, times->records + at, sizeof record);
		const char *path = times->records + at + sizeof record;
		at += sizeof record + record.path_bytes;

		/* It may have been replaced by something else since; then its time is nobody's. */
		int directory = beneath_open(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
		if (directory < 0)
			continue;
		struct timespec stamps[2] = { { .tv_nsec = UTIME_OMIT },
					      { .tv_sec = record.seconds, .tv_nsec = record.nanoseconds } };
		if (utimensat(directory, "", stamps, AT_EMPTY_PATH) < 0)
			fail_errno("utimensat", path);
		close(directory);
	}
	free(times->records);
	*times = (struct directory_times){ 0 };
}
