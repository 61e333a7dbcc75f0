#pragma once

/*
 * The program's one answer: a JSON line on stdout. It does one thing and ends, so a failure ends it where it is found;
 * the caller throws the half-written directory away.
 */

/* Writes {"ok":false,"code":…,"entry":…,"message":…} and exits with status 1. entry may be NULL. */
_Noreturn void fail(const char *code, const char *entry, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As fail, for a system call that failed: code "no-space" or "io", message "operation: error text". */
_Noreturn void fail_errno(const char *operation, const char *entry);
