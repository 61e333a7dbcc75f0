#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes beyond ASCII go out as they are: names are UTF-8 nearly always, and the reader replaces what is not. */
static void put_json_string(const char *text)
{
	putchar('"');
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			printf("\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			printf("\\u%04x", *at);
		else
			putchar(*at);
	}
	putchar('"');
}

void fail(const char *code, const char *entry, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	printf("{\"ok\":false,\"code\":\"%s\",\"entry\":", code);
	put_json_string(entry == NULL ? "" : entry);
	printf(",\"message\":");
	put_json_string(message);
	printf("}\n");
	fflush(stdout);
	exit(1);
}

void fail_errno(const char *operation, const char *entry)
{
	int error = errno;
	const char *code = error == ENOSPC || error == EDQUOT ? "no-space" : "io";

	fail(code, entry, "%s: %s", operation, strerror(error));
}
