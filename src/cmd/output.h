/* What commands print: JSON text, and whether to colour it. */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stdio.h>

#include "cmd/command.h"

/* `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD, what steers a terminal an escape. */
void output_json_string(FILE *to, struct seal_bytes text);
/* A service is away, and the run waits for it; it goes on. */
void output_waiting(const struct seal_err *why);
void output_resumed(uint64_t waited_ms);
/* Colours on this stream? By --color, NO_COLOR and whether it is a terminal. */
bool output_colored(const struct global_options *global, FILE *to);

#endif
