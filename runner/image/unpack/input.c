/* SHA256_* is deprecated for applications that want providers; here it keeps the static binary at a tenth of EVP's size. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

void input_open(struct input *input, int fd, const struct limits *limits)
{
	memset(input, 0, offsetof(struct input, source));
	input->fd = fd;
	input->limits = limits;
	SHA256_Init(&input->source_digest);
	SHA256_Init(&input->tar_digest);
}

/* Reads until the buffer has `want` bytes or the source ends; returns what it has. */
static size_t read_source(struct input *input, size_t want)
{
	size_t have = 0;

	while (have < want) {
		ssize_t count = read(input->fd, input->source + have, INPUT_BUFFER_BYTES - have);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			fail_errno("read of the layer stream", NULL);
		if (count == 0) {
			input->source_ended = true;
			break;
		}
		have += (size_t)count;
	}
	SHA256_Update(&input->source_digest, input->source, have);
	input->source_bytes += have;
	return have;
}

static void check_growth(const struct input *input)
{
	const struct limits *limits = input->limits;

	if (input->tar_bytes > limits->content_bytes + TAR_OVERHEAD_BYTES)
		fail("too-large", NULL, "the stream is longer than %llu bytes and their headers",
		     (unsigned long long)limits->content_bytes);
	if (input->gzip && input->tar_bytes > RATIO_FREE_BYTES && input->tar_bytes / limits->ratio > input->source_bytes)
		fail("too-large", NULL, "it inflates to more than %llu times its compressed size",
		     (unsigned long long)limits->ratio);
}

static void start(struct input *input)
{
	size_t count = read_source(input, 2);

	input->started = true;
	input->gzip = count >= 2 && input->source[0] == 0x1f && input->source[1] == 0x8b;
	if (!input->gzip) {
		input->ready = input->source;
		input->ready_bytes = count;
		return;
	}
	if (inflateInit2(&input->inflater, 16 + MAX_WBITS) != Z_OK)
		fail("io", NULL, "inflateInit2: out of memory");
	input->inflater.next_in = input->source;
	input->inflater.avail_in = (uInt)count;
	input->inside_member = true;
}

/* Inflates until there is output or the last member has ended. */
static void refill_inflated(struct input *input)
{
	z_stream *stream = &input->inflater;

	stream->next_out = input->inflated;
	stream->avail_out = INPUT_BUFFER_BYTES;
	while (stream->avail_out == INPUT_BUFFER_BYTES) {
		if (stream->avail_in == 0 && !input->source_ended) {
			stream->next_in = input->source;
			stream->avail_in = (uInt)read_source(input, 1);
		}
		if (stream->avail_in == 0 && !input->inside_member)
			break;
		input->inside_member = true;
		int result = inflate(stream, Z_NO_FLUSH);
		if (result == Z_STREAM_END) {
			input->inside_member = false;
			inflateReset(stream);
		} else if (result == Z_BUF_ERROR && stream->avail_in == 0 && input->source_ended) {
			fail("corrupt", NULL, "the gzip stream ends early");
		} else if (result != Z_OK && result != Z_BUF_ERROR) {
			fail("corrupt", NULL, "the gzip stream is damaged: %s", stream->msg == NULL ? "bad data" : stream->msg);
		}
	}
	input->ready = input->inflated;
	input->ready_bytes = INPUT_BUFFER_BYTES - stream->avail_out;
	SHA256_Update(&input->tar_digest, input->inflated, input->ready_bytes);
}

size_t input_peek(struct input *input, const uint8_t **bytes)
{
	if (input->ready_bytes == 0) {
		if (!input->started)
			start(input);
		else if (!input->gzip) {
			input->ready = input->source;
			input->ready_bytes = input->source_ended ? 0 : read_source(input, 1);
		}
		if (input->gzip)
			refill_inflated(input);
		input->tar_bytes += input->ready_bytes;
		check_growth(input);
	}
	*bytes = input->ready;
	return input->ready_bytes;
}

void input_advance(struct input *input, size_t count)
{
	if (input->recipe != NULL && !input->diverted)
		recipe_bytes(input->recipe, input->ready, count);
	input->ready += count;
	input->ready_bytes -= count;
}

bool input_read(struct input *input, void *buffer, size_t count)
{
	size_t done = 0;

	while (done < count) {
		const uint8_t *bytes;
		size_t have = input_peek(input, &bytes);
		if (have == 0 && done == 0)
			return false;
		if (have == 0)
			fail("corrupt", NULL, "the tar ends inside an entry");
		if (have > count - done)
			have = count - done;
		memcpy((uint8_t *)buffer + done, bytes, have);
		input_advance(input, have);
		done += have;
	}
	return true;
}

void input_skip(struct input *input, uint64_t count)
{
	while (count > 0) {
		const uint8_t *bytes;
		size_t have = input_peek(input, &bytes);
		if (have == 0)
			fail("corrupt", NULL, "the tar ends inside an entry");
		if (have > count)
			have = (size_t)count;
		input_advance(input, have);
		count -= have;
	}
}

void input_divert(struct input *input, const char *path, uint64_t size)
{
	input->diverted = path != NULL;
	if (path != NULL && input->recipe != NULL)
		recipe_content(input->recipe, path, size);
}

void input_drain(struct input *input)
{
	const uint8_t *bytes;
	size_t have;

	while ((have = input_peek(input, &bytes)) > 0)
		input_advance(input, have);
}

static void hex_digest(SHA256_CTX *digest, char text[65])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[SHA256_DIGEST_LENGTH];

	SHA256_Final(bytes, digest);
	for (size_t index = 0; index < sizeof bytes; index++) {
		text[2 * index] = digits[bytes[index] >> 4];
		text[2 * index + 1] = digits[bytes[index] & 15];
	}
	text[64] = '\0';
}

void input_digests(struct input *input, char source[65], char tar[65])
{
	hex_digest(&input->source_digest, source);
	if (input->gzip)
		hex_digest(&input->tar_digest, tar);
	else
		memcpy(tar, source, 65);
}
