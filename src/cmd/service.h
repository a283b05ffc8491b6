/*
 * The service manager that started the program, if one did (sd_notify(3), Type=notify): what the run is doing, and that it
 * still gets on. Without NOTIFY_SOCKET all of it does nothing. Thread-safe after service_begin.
 */
#ifndef CMD_SERVICE_H
#define CMD_SERVICE_H

#include <stdbool.h>

/* Finds the manager in the environment. Call before threads start. */
void service_begin(void);
/* All is open, the run begins; also the end of service_reloading. */
void service_ready(void);
void service_reloading(void);
/* A stop request is drained. Told once. */
void service_stopping(void);
/* One line for `systemctl status`. */
void service_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * The run gets on, or waits for what it has named. Fed to the watchdog (WatchdogSec) as often as that needs it; call it as
 * often as you like, and not at all where nothing moves.
 */
void service_alive(void);
/* Is anybody told? */
bool service_is_there(void);

#endif
