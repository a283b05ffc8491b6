/*
 * Functions that have a safer spelling in this tree; using one is a compile error. Included by every file
 * through the compiler's -include.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang's fortified <stdio.h> makes macros of these, and a macro can't be poisoned */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncat strncpy stpcpy sprintf vsprintf gets
#pragma GCC poison atoi atol atoll atof strtok srand random srandom drand48
#pragma GCC poison tmpnam tempnam mktemp asctime ctime gmtime localtime

/* Not poisoned, since openssl/evp.h names parameters so; -Werror makes it an error all the same. */
extern int rand(void) __attribute__((deprecated("use random_bytes")));

#endif
