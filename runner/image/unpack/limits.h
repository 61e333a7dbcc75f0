#pragma once

#include <stdint.h>

/* What one layer may cost. The caller chooses; nothing here has a default. */
struct limits {
	uint64_t content_bytes; /* sum of the files' contents */
	uint64_t entries;
	uint64_t depth; /* components of a path */
	uint64_t ratio; /* tar bytes for each compressed byte, looked at beyond RATIO_FREE_BYTES */
};

/* A small stream may inflate as it likes: an image of one zero-filled file is no attack. */
#define RATIO_FREE_BYTES (UINT64_C(64) << 20)

/* Tar bytes that may come beside the contents: headers, padding, trailing zero blocks. */
#define TAR_OVERHEAD_BYTES (UINT64_C(1) << 30)
