#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *answer;

static FILE *stream(void)
{
	return answer == NULL ? stdout : answer;
}

void report_to(int fd)
{
	answer = fdopen(fd, "w");
	if (answer == NULL)
		exit(2);
}

/* Bytes beyond ASCII go out as they are: names are UTF-8 nearly always, and the reader replaces what is not. */
void report_string(const char *text)
{
	fputc('"', stream());
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			fprintf(stream(), "\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			fprintf(stream(), "\\u%04x", *at);
		else
			fputc(*at, stream());
	}
	fputc('"', stream());
}

void report_text(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stream(), format, arguments);
	va_end(arguments);
}

void report_flush(void)
{
	fflush(stream());
}

void fail(const char *code, const char *entry, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	report_text("{\"ok\":false,\"code\":\"%s\",\"entry\":", code);
	report_string(entry == NULL ? "" : entry);
	report_text(",\"message\":");
	report_string(message);
	report_text("}\n");
	report_flush();
	exit(1);
}

void fail_errno(const char *operation, const char *entry)
{
	int error = errno;
	const char *code = error == ENOSPC || error == EDQUOT ? "no-space" : "io";

	fail(code, entry, "%s: %s", operation, strerror(error));
}
