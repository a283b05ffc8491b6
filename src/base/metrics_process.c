/* What the system says of this process, under the names that Prometheus' own clients give it. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/metrics.h"

#define STAT_MAX 4096

struct stat_numbers {
	uint64_t start_ticks, virtual_bytes, resident_pages;
	long threads;
};

/* proc(5), /proc/PID/stat: fields 20, 22, 23 and 24; the name in field 2 may hold anything, so they count from its end. */
static bool read_stat(struct stat_numbers *out)
{
	char text[STAT_MAX];
	const char *at;
	FILE *file = fopen("/proc/self/stat", "re");
	size_t n;

	if (file == NULL)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	at = strrchr(text, ')');
	return at != NULL && sscanf(at + 1,
				    " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s "
				    "%" SCNu64 " %" SCNu64 " %" SCNu64,
				    &out->threads, &out->start_ticks, &out->virtual_bytes, &out->resident_pages) == 4;
}

/* The time since the system's start that /proc/PID/stat counts in, as one since 1970. */
static double start_time(uint64_t ticks)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9 +
	       (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* -1: not to be seen. */
static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -3; /* ".", ".." and the one that counts */

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void one(struct metrics_page *page, enum metric_type type, const char *name, const char *help, double value)
{
	metrics_family(page, type, name, help);
	metrics_sample(page, "", NULL, value);
}

void metrics_collect_process(void *none, struct metrics_page *page)
{
	struct stat_numbers stat;
	struct rusage usage;
	struct rlimit files;
	int fds = count_fds();

	getrusage(RUSAGE_SELF, &usage);
	one(page, METRIC_COUNTER, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
	    seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
	if (read_stat(&stat)) {
		one(page, METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory size in bytes.",
		    (double)stat.resident_pages * (double)sysconf(_SC_PAGESIZE));
		one(page, METRIC_GAUGE, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
		    (double)stat.virtual_bytes);
		one(page, METRIC_GAUGE, "process_start_time_seconds",
		    "Start time of the process since unix epoch in seconds.", start_time(stat.start_ticks));
		one(page, METRIC_GAUGE, "process_threads", "Number of threads in the process.", (double)stat.threads);
	}
	if (fds >= 0)
		one(page, METRIC_GAUGE, "process_open_fds", "Number of open file descriptors.", fds);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		one(page, METRIC_GAUGE, "process_max_fds", "Maximum number of open file descriptors.",
		    (double)files.rlim_cur);
}
