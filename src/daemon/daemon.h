/*
 * The process: reads the configuration, opens the sockets, runs the workers and the main thread's own loop
 * (signals, access log, admin pages, mock services), drains and ends.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/*
 * Runs until a signal ends it. Returns the exit status: 0; 1 when the system fails; 78 (EX_CONFIG) when the file is
 * bad. Everything is told on standard error.
 */
int daemon_run(const char *conf_path);

#endif
