/* Bars on a terminal: how a line looks, and drawing all of them over what stood there before. */
#include "cmd/file_bars.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

#define STATS_COLUMNS 40 /* percent 5, bytes 11, rate 13, time left 11 */
#define PERCENT_COLUMNS 5
#define NAME_MIN 12
#define NAME_MAX_COLUMNS 40
#define BAR_MAX 40

struct bars_terminal bars_terminal(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
		return (struct bars_terminal){80, 24};
	return (struct bars_terminal){size.ws_col < BAR_COLUMNS_MAX ? size.ws_col : BAR_COLUMNS_MAX, size.ws_row};
}

/* ---- texts ---- */

void bars_bytes(uint64_t bytes, char out[BAR_TEXT_ROOM])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(out, BAR_TEXT_ROOM, "%u B", (unsigned)bytes);
		return;
	}
	while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	snprintf(out, BAR_TEXT_ROOM, "%.1f %s", value, units[unit]);
}

void bars_time(double seconds, char out[BAR_TEXT_ROOM])
{
	unsigned s;

	if (seconds < 0 || seconds >= 100 * 3600) {
		snprintf(out, BAR_TEXT_ROOM, "--:--");
		return;
	}
	s = (unsigned)(seconds + 0.5);
	if (s >= 3600)
		snprintf(out, BAR_TEXT_ROOM, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(out, BAR_TEXT_ROOM, "%u:%02u", s / 60, s % 60);
}

double bars_left(const struct bar *bar)
{
	if (bar->size == BAR_SIZE_UNKNOWN)
		return -1;
	if (bar->bytes >= bar->size)
		return 0;
	return bar->rate >= 1 ? (double)(bar->size - bar->bytes) / bar->rate : -1;
}

/* What is shown of a file that is whole is 100 %, also of an empty one; what is not, is less. */
static unsigned percent(const struct bar *bar)
{
	if (bar->bytes >= bar->size)
		return 100;
	return (unsigned)((double)bar->bytes / (double)bar->size * 100);
}

/* How many columns a terminal gives the character, at most: East Asian wide ones and pictures take two. */
static unsigned width_of(uint32_t c)
{
	return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
			       (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) || c >= 0x1f000
		       ? 2
		       : 1;
}

/* `name` in exactly `columns` columns: cleaned, cut with "..", filled with spaces. Returns its bytes. */
static size_t put_name(const char *name, unsigned columns, char *out)
{
	struct seal_bytes text = bytes_str(name);
	unsigned used = 0, cut_used = 0;
	size_t n = 0, cut = 0; /* how far it may go when it has to be cut */

	for (size_t at = 0; at < text.len;) {
		uint32_t c;

		if (!utf8_next(text, &at, &c)) {
			c = '?';
			at++;
		} else if (utf8_steers(c)) {
			c = '?';
		}
		if (used + width_of(c) > columns) {
			unsigned dots = columns < 2 ? columns : 2;

			memset(out + cut, '.', dots);
			n = cut + dots;
			used = cut_used + dots;
			break;
		}
		n += utf8_put(c, (uint8_t *)out + n);
		used += width_of(c);
		if (used + 2 <= columns) {
			cut = n;
			cut_used = used;
		}
	}
	memset(out + n, ' ', columns - used);
	return n + columns - used;
}

static size_t put_bar(const struct bar *bar, unsigned columns, char *out)
{
	unsigned inner = columns - 2;
	unsigned full = bar->size == BAR_SIZE_UNKNOWN ? 0 : inner * percent(bar) / 100;

	out[0] = '[';
	memset(out + 1, '#', full);
	memset(out + 1 + full, ' ', inner - full);
	if (full < inner && bar->bytes > 0)
		out[1 + full] = '>';
	out[columns - 1] = ']';
	return columns;
}

unsigned bars_line(const struct bar *bar, unsigned columns, char out[BAR_LINE_MAX])
{
	unsigned room = columns > 1 ? columns - 1 : 1, name, graph = 0, width;
	char bytes[BAR_TEXT_ROOM], rate[BAR_TEXT_ROOM], left[BAR_TEXT_ROOM], per[8] = "   ";
	size_t n;

	if (bar->size != BAR_SIZE_UNKNOWN)
		snprintf(per, sizeof(per), "%3u%%", percent(bar));
	else
		snprintf(per, sizeof(per), "   ?");
	if (room < NAME_MIN + STATS_COLUMNS) {
		name = room > PERCENT_COLUMNS ? room - PERCENT_COLUMNS : room;
		n = put_name(bar->name, name, out);
		width = name;
		if (room > PERCENT_COLUMNS) {
			n += (size_t)snprintf(out + n, BAR_LINE_MAX - n, " %s", per);
			width += PERCENT_COLUMNS;
		}
		out[n] = '\0';
		return width;
	}
	room -= STATS_COLUMNS;
	name = room * 6 / 10 < NAME_MIN ? room : room * 6 / 10;
	name = name < NAME_MAX_COLUMNS ? name : NAME_MAX_COLUMNS;
	if (room - name >= 8)
		graph = room - name - 1 < BAR_MAX ? room - name - 1 : BAR_MAX;
	n = put_name(bar->name, name, out);
	if (graph > 0) {
		out[n++] = ' ';
		n += put_bar(bar, graph, out + n);
	}
	bars_bytes(bar->bytes, bytes);
	bars_bytes((uint64_t)bar->rate, rate);
	bars_time(bars_left(bar), left);
	snprintf(out + n, BAR_LINE_MAX - n, " %s  %9s  %9s/s  %9s", per, bytes, rate, left);
	return name + (graph ? graph + 1 : 0) + STATS_COLUMNS;
}

/* ---- drawing ---- */

static void go_up(const struct bars *bars, unsigned columns, FILE *to)
{
	unsigned rows = 0;

	for (int i = 0; i < bars->lines; i++) /* a window that became narrow has folded them */
		rows += (bars->columns[i] + columns - 1) / columns;
	if (rows > 0)
		fprintf(to, "\r\033[%uA\033[J", rows);
}

static void draw_line(struct bars *bars, const struct bar *bar, unsigned columns, FILE *to)
{
	char line[BAR_LINE_MAX];

	bars->columns[bars->lines++] = bars_line(bar, columns, line);
	fprintf(to, "%s\n", line);
}

static void draw_more(struct bars *bars, size_t more, unsigned columns, FILE *to)
{
	char line[40];
	int width = snprintf(line, sizeof(line), "and %zu more", more);

	if ((unsigned)width >= columns)
		line[columns - 1] = '\0';
	bars->columns[bars->lines++] = (unsigned)strlen(line);
	fprintf(to, "%s\n", line);
}

void bars_draw(struct bars *bars, const struct bar *files, size_t n, const struct bar *total)
{
	static char buffer[BARS_MAX * BAR_LINE_MAX]; /* one terminal, one thread */
	struct bars_terminal terminal = bars_terminal();
	unsigned lines = terminal.rows > BARS_MAX ? BARS_MAX : terminal.rows > 2 ? terminal.rows - 1 : 1;
	size_t shown = n < lines ? n : lines - 1; /* beside the total's */
	FILE *to = fmemopen(buffer, sizeof(buffer), "w");
	ssize_t ignored;
	long len;

	if (to == NULL)
		return;
	go_up(bars, terminal.columns, to);
	bars->lines = 0;
	if (shown < n && shown > 0) /* one line for the others */
		shown--;
	for (size_t i = 0; i < shown; i++)
		draw_line(bars, &files[i], terminal.columns, to);
	if (shown < n && lines > 1)
		draw_more(bars, n - shown, terminal.columns, to);
	draw_line(bars, total, terminal.columns, to);
	len = ftell(to);
	fclose(to);
	ignored = write(STDERR_FILENO, buffer, len > 0 ? (size_t)len : 0);
	(void)ignored;
}

void bars_hide(struct bars *bars)
{
	go_up(bars, bars_terminal().columns, stderr);
	fflush(stderr);
	bars->lines = 0;
}
