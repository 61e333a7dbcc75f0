#pragma once

/*
 * The program's one answer: a JSON line on stdout, or on the descriptor given here. It does one thing and ends, so a failure ends it where it is found;
 * the caller throws the half-written directory away.
 */

void report_to(int fd);

/* A text as a JSON string, in quotes; then the line goes out. */
void report_string(const char *text);
void report_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_flush(void);

/* Writes {"ok":false,"code":…,"entry":…,"message":…} and exits with status 1. entry may be NULL. */
_Noreturn void fail(const char *code, const char *entry, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As fail, for a system call that failed: code "no-space" or "io", message "operation: error text". */
_Noreturn void fail_errno(const char *operation, const char *entry);
