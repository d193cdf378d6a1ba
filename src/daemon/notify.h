/* What the service manager is told (sd_notify(3)); nothing when there is none. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* All listeners are open. */
void notify_ready(void);
/* Draining has begun. */
void notify_stopping(void);

#endif
