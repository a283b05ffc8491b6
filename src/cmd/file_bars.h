/*
 * Bars on a terminal: a line for each file under way and one for all of them, drawn over again.
 *
 *   report.csv            [#########>          ]  48%    57.6 MB   12.3 MB/s     0:05
 *   total, 12 of 340      [##>                 ]  11%   428.9 MB   88.1 MB/s     0:39
 */
#ifndef CMD_FILE_BARS_H
#define CMD_FILE_BARS_H

#include <stddef.h>
#include <stdint.h>

#define BARS_MAX 10 /* lines at most, the total's and "and N more" among them */
#define BAR_SIZE_UNKNOWN UINT64_MAX
#define BAR_TEXT_ROOM 16 /* of bars_bytes and bars_time */
#define BAR_LINE_MAX 2048 /* bytes; no line has more than BAR_COLUMNS_MAX columns of at most 4 bytes */
#define BAR_COLUMNS_MAX 400

/* What one line says. */
struct bar {
	const char *name; /* cleaned here of what steers a terminal, and cut */
	uint64_t bytes, size; /* size may be BAR_SIZE_UNKNOWN */
	double rate; /* bytes a second; 0: not known yet */
};

/* What stands on the terminal now; zeroed: nothing. */
struct bars {
	int lines;
	unsigned columns[BARS_MAX]; /* how wide each line is */
};

struct bars_terminal {
	unsigned columns, rows;
};

/* Of standard error, asked anew each time, as windows are resized; 80 x 24 where it does not say. */
struct bars_terminal bars_terminal(void);

/* One line of at most terminal.columns - 1 columns, NUL-terminated; returns its width. */
unsigned bars_line(const struct bar *bar, unsigned columns, char out[BAR_LINE_MAX]);

/* Draws `n` bars of files over what stood there, as many as have room, and the total's. One write. */
void bars_draw(struct bars *bars, const struct bar *files, size_t n, const struct bar *total);
/* Takes them away; before anything else is said on standard error. */
void bars_hide(struct bars *bars);

/* "12.3 MB"; "0:05", "1:02:03", "--:--" when it cannot be told. */
void bars_bytes(uint64_t bytes, char out[BAR_TEXT_ROOM]);
void bars_time(double seconds, char out[BAR_TEXT_ROOM]);
double bars_left(const struct bar *bar); /* seconds; negative: not known */

#endif
