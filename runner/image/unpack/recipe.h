#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * How a tar that was unpacked is put together again to the byte: what is no file's content (headers, padding, what
 * follows the end) as it came, and for each content the path of the file that has it. A gzip file of records: 'B', length (u32, the
 * machine's order), bytes; or 'C', size (u64), length of the path (u32), path.
 */
struct recipe;

struct recipe *recipe_create(const char *path);
void recipe_bytes(struct recipe *recipe, const uint8_t *bytes, size_t count);
void recipe_content(struct recipe *recipe, const char *path, uint64_t size);
void recipe_close(struct recipe *recipe);

/* Writes the tar to `output`; `root` is the tree. */
void recipe_follow(const char *recipe, int root, int output);
