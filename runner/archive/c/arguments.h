#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The program's arguments, taken one after the other. Exits with status 2 when one is missing or wrong. */

_Noreturn void misused(const char *why);
void take_from(char **arguments); /* NULL ends them */
char *take(void);
bool take_if(const char *word);
uint64_t take_number(void);
/* NULL for "-". */
char *take_unless_dash(void);
/* All that are left, ended by NULL. */
char **take_rest(void);
/* A VIEW, opened. */
int take_view(void);
