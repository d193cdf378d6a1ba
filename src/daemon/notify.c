/* sd_notify. Main thread. */
#include "daemon/notify.h"

#include "config.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

static void
tell(const char *state)
{
#ifdef HAVE_SYSTEMD
	/* Without a service manager this does nothing; with one that does not listen we go on. */
	(void)sd_notify(0, state);
#else
	(void)state;
#endif
}

void
notify_ready(void)
{
	tell("READY=1");
}

void
notify_stopping(void)
{
	tell("STOPPING=1");
}
