/* The keys of a listening socket. Constant data; parsing runs at start-up and reload only. */
#include "server/listener_socket_conf.h"

#include <grp.h>
#include <pwd.h>

#include "base/compiler.h"
#include "server/listener_conf.h"

#define TEXT_OF(number) TEXT_AS_IS(number)
#define TEXT_AS_IS(number) #number

static const char *
parse_mode(void *base, const struct conf_text *text, struct arena *a)
{
	static const char fault[] = "expected a file mode in octal, such as \"0660\"";
	struct listener_conf *l = base;
	struct str s = text->s;
	unsigned mode = 0;

	(void)a;
	if (s.n == 4 && s.p[0] == '0')
		s = str_of(s.p + 1, 3);
	if (s.n != 3)
		return fault;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '7')
			return fault;
		mode = mode * 8 + (unsigned)(s.p[i] - '0');
	}
	l->socket.mode = mode;
	l->socket.has_mode = true;
	return NULL;
}

/* UINT32_MAX is not taken: chown(2) takes it for "as it is". */
static bool
parse_id(struct str s, uint32_t *id)
{
	uint64_t n;

	if (!str_to_u64(s, &n) || n >= UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}

static const char *
parse_owner(void *base, const struct conf_text *text, struct arena *a)
{
	struct listener_conf *l = base;
	const struct passwd *user;

	l->socket.has_owner = true;
	if (parse_id(text->s, &l->socket.owner))
		return NULL;
	user = getpwnam(arena_str(a, text->s).p);
	if (user == NULL)
		return "there is no user of that name here";
	l->socket.owner = user->pw_uid;
	return NULL;
}

static const char *
parse_group(void *base, const struct conf_text *text, struct arena *a)
{
	struct listener_conf *l = base;
	const struct group *group;

	l->socket.has_group = true;
	if (parse_id(text->s, &l->socket.group))
		return NULL;
	group = getgrnam(arena_str(a, text->s).p);
	if (group == NULL)
		return "there is no group of that name here";
	l->socket.group = group->gr_gid;
	return NULL;
}

static const struct conf_row rows[] = {
	{
	    .key = "backlog",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct listener_conf, socket.backlog),
	    .min = 1,
	    .max = 65535,
	    .fallback = TEXT_OF(SOCK_BACKLOG),
	    .unit = "connections per worker",
	    .since = "0.1",
	    .doc = "Connections that may wait to be accepted. The kernel takes at most "
		   "net.core.somaxconn.",
	},
	{
	    .key = "keep_alive",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, socket.keep_alive_ns),
	    .max = 9 * 3600 * NS_PER_SEC,
	    .fallback = "0s",
	    .since = "0.1",
	    .doc = "TCP keep-alive: a connection on which nothing has come for that long is probed, "
		   "and closed when three probes, a third of that time apart, get no answer. In "
		   "whole seconds, rounded up. 0s: off.",
	},
	{
	    .key = "defer_accept",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct listener_conf, socket.defer_accept_ns),
	    .max = 3600 * NS_PER_SEC,
	    .fallback = "0s",
	    .since = "0.1",
	    .doc = "TCP_DEFER_ACCEPT: the kernel keeps a connection to itself until the client has "
		   "sent something, about that long at most. In whole seconds, rounded up. 0s: off.",
	},
	{
	    .key = "fast_open",
	    .type = CONF_COUNT,
	    .offset = offsetof(struct listener_conf, socket.fast_open),
	    .max = 65535,
	    .fallback = "0",
	    .unit = "connections",
	    .since = "0.1",
	    .doc = "TCP Fast Open (RFC 7413): connections whose request came with the SYN and that "
		   "have not been confirmed yet. The network may repeat such a request: only for "
		   "clients whose first requests may happen twice. It has to be allowed by "
		   "net.ipv4.tcp_fastopen. 0: off.",
	},
	{
	    .key = "v6only",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct listener_conf, socket.is_v6only),
	    .fallback = "true",
	    .since = "0.1",
	    .doc = "`false`: `[::]:PORT` takes IPv4 clients as well. They keep their IPv4 addresses.",
	},
	{
	    .key = "mode",
	    .type = CONF_PARSED,
	    .parse = parse_mode,
	    .form = "octal digits, such as \"0660\"",
	    .since = "0.1",
	    .doc = "Who may open a unix socket: the mode of its file. Without it the umask decides.",
	},
	{
	    .key = "owner",
	    .type = CONF_PARSED,
	    .parse = parse_owner,
	    .form = "a user's name or number",
	    .since = "0.1",
	    .doc = "The owner of a unix socket's file; only root may give files away.",
	},
	{
	    .key = "group",
	    .type = CONF_PARSED,
	    .parse = parse_group,
	    .form = "a group's name or number",
	    .since = "0.1",
	    .doc = "The group of a unix socket's file: one that gatherd's user is in.",
	},
};

const struct conf_section listener_socket_conf_section = {
	.rows = rows,
	.n_rows = ARRAY_LEN(rows),
	.doc = "Options of the listening socket. A socket of systemd has those of its unit.",
};
