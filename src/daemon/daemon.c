/*
 * The process. The main thread owns everything here; workers are threads that each turn one loop and are
 * reached through messages only.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json_scan.h"
#include "daemon/certs.h"
#include "daemon/listening.h"
#include "daemon/mock.h"
#include "daemon/names.h"
#include "daemon/notify.h"
#include "daemon/trust.h"
#include "daemon/worker.h"
#include "net/dns_ares.h"
#include "net/loop_real.h"

#define STALL_NS (20 * NS_PER_MS)

struct worker_thread {
	struct worker *worker; /* owned, as the loop; while it runs only posted to */
	struct loop *loop;
	struct daemon *daemon; /* back pointer */
	pthread_t thread;
	bool is_started;
	struct msg closed; /* to the main loop: this worker has ended */
};

/* Owns what it points to. */
struct daemon {
	struct generation *gen;
	struct shared shared;
	struct loop *loop; /* the main thread's */
	struct activation activation;
	struct certs *certs;
	struct trust *trust;
	struct dns *dns;
	struct names *names;
	struct access_log *log;
	struct worker_thread *threads;
	size_t n_threads;
	size_t n_running;
	struct gather_env env; /* of the main thread's server: it has no upstreams */
	struct json_scan js;   /* the same; mock services refer to bodies */
	struct server server;  /* admin pages and mock services */
	struct event signals[3];
	bool is_draining;
	bool is_stopping;
	bool is_refused; /* the configuration cannot be run as it is */
};

static uint64_t
random_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = clock_wall_ns() ^ (uint64_t)getpid();
	return seed;
}

/* As many descriptors as the system lets us have; limits on connections are the configuration's. */
static void
raise_file_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) != 0)
		log_warn("the limit on open files stays as it is: %s", strerror(errno));
}

/* ---- the end of it */

static void
post_all(struct daemon *d, void (*post)(struct worker *))
{
	for (size_t i = 0; i < d->n_threads; i++)
		post(d->threads[i].worker);
}

static void
begin_drain(struct daemon *d, const char *signal_name)
{
	log_info("%s: draining, at most %llu s; once more to stop at once", signal_name,
	    (unsigned long long)(d->gen->conf->drain_timeout_ns / NS_PER_SEC));
	d->is_draining = true;
	atomic_store(&d->shared.view.is_ready, false);
	notify_stopping();
	post_all(d, worker_post_drain);
}

static void
on_terminate(evutil_socket_t signum, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	if (!d->is_draining) {
		begin_drain(d, signum == SIGINT ? "SIGINT" : "SIGTERM");
	} else if (!d->is_stopping) {
		log_info("stopping at once");
		d->is_stopping = true;
		post_all(d, worker_post_stop);
	}
}

static void
on_hangup(evutil_socket_t signum, short what, void *arg)
{
	struct daemon *d = arg;

	(void)signum;
	(void)what;
	if (d->log != NULL)
		access_log_reopen(d->log);
	certs_reread(d->certs);
	trust_reread(d->trust);
	log_info("SIGHUP: the access log is opened and certificates are read again; "
		 "reload of the configuration is not supported yet, restart for that");
}

/* A worker has ended; with the last one the main loop ends as well. */
static void
on_worker_closed(struct msg *m)
{
	struct worker_thread *t = CONTAINER_OF(m, struct worker_thread, closed);

	if (--t->daemon->n_running == 0)
		loop_stop(t->daemon->loop);
}

/* On the worker's thread. */
static void
tell_closed(void *arg)
{
	struct worker_thread *t = arg;

	loop_stop(t->loop);
	loop_post(t->daemon->loop, &t->closed);
}

/* ---- listening */

/* One socket per worker. */
static bool
open_listener(struct daemon *d, size_t index)
{
	int *fds = mem_calloc(d->n_threads, sizeof *fds);
	bool ok = listening_open(&d->gen->conf->listeners[index], &d->activation, d->n_threads, fds);

	for (size_t i = 0; i < d->n_threads && ok; i++)
		worker_listen(d->threads[i].worker, index, fds[i], certs_context(d->certs, index));
	free(fds);
	return ok;
}

static bool
open_admin(struct daemon *d, const struct listener_conf *conf)
{
	struct listener_setup setup = { .conf = conf, .kind = LISTENER_ADMIN };

	if (!listening_open_admin(conf, &setup.fd))
		return false;
	listener_new(&d->server, &setup);
	return true;
}

static bool
open_listeners(struct daemon *d)
{
	const struct conf *c = d->gen->conf;
	bool ok = true;

	activation_init(&d->activation);
	for (size_t i = 0; i < c->n_listeners && ok; i++)
		ok = open_listener(d, i);
	activation_tell_unused(&d->activation);
	if (ok && !str_is_none(c->admin.socket.s))
		ok = open_admin(d, &d->gen->admin_socket);
	if (ok && !str_is_none(c->admin.address_text.s))
		ok = open_admin(d, &d->gen->admin_address);
	return ok;
}

static void
open_mocks(struct daemon *d)
{
	for (size_t i = 0; i < d->gen->n_mocks; i++) {
		struct generation_mock *mock = &d->gen->mocks[i];
		struct listener_setup setup = {
			.conf = &mock->listener,
			.kind = LISTENER_MOCK,
			.site = mock->site,
			.fd = mock_take_fd(mock),
		};

		listener_new(&d->server, &setup);
	}
}

/* ---- certificates */

static void
on_certificates(void *owner, size_t listener, struct tls_ctx *const *contexts)
{
	struct daemon *d = owner;

	for (size_t i = 0; i < d->n_threads; i++)
		worker_post_certificates(d->threads[i].worker, listener, contexts[i]);
}

static const struct certs_events certs_events = { .on_changed = on_certificates };

static void
on_trust(void *owner, size_t upstream, struct tls_client *const *clients)
{
	struct daemon *d = owner;

	for (size_t i = 0; i < d->n_threads; i++)
		worker_post_client(d->threads[i].worker, upstream, clients[i]);
}

static const struct trust_events trust_events = { .on_changed = on_trust };

/* ---- names of servers */

static void
on_names(void *owner, const struct names_state *state)
{
	struct daemon *d = owner;

	for (size_t i = 0; i < d->n_threads; i++)
		worker_post_places(d->threads[i].worker, state);
}

static void
put_names(void *owner, size_t upstream, struct buf *out)
{
	const struct daemon *d = owner;

	names_put(d->names, upstream, out);
}

static const struct names_events names_events = { .on_changed = on_names };

/* Waits for every name's first answer. */
static bool
look_up_names(struct daemon *d)
{
	struct names_setup setup = {
		.conf = d->gen->conf,
		.loop = d->loop,
		.metrics = &d->shared.shards[d->n_threads],
		.events = &names_events,
		.owner = d,
		.seed = random_seed(),
	};
	struct conf_errors errors;

	setup.dns = d->dns = dns_ares_new(d->loop, &d->gen->conf->dns);
	if (d->dns == NULL)
		return false;
	d->names = names_new(&setup);
	d->shared.view.put_names = put_names;
	d->shared.view.names_owner = d;
	while (!names_are_settled(d->names))
		loop_turn(d->loop, TIMER_NEVER);
	conf_error_init(&errors, &d->gen->arena);
	d->is_refused = names_settle(d->names, &errors) != ERR_NONE;
	conf_error_print(&errors, stderr);
	return !d->is_refused;
}

static void
set_places(const struct daemon *d, struct worker *w)
{
	struct names_state state;

	for (size_t i = 0; i < names_count(d->names); i++) {
		names_get(d->names, i, &state);
		worker_set_places(w, &state);
	}
}

/* ---- threads */

static void *
run_worker(void *arg)
{
	struct worker_thread *t = arg;

	loop_run(t->loop);
	return NULL;
}

static bool
make_workers(struct daemon *d)
{
	d->threads = mem_calloc(d->n_threads, sizeof *d->threads);
	for (size_t i = 0; i < d->n_threads; i++) {
		struct worker_thread *t = &d->threads[i];
		struct worker_setup setup = {
			.index = (unsigned)i,
			.shared = &d->shared,
			.log = d->log,
			.seed = random_seed(),
			.on_closed = tell_closed,
			.arg = t,
		};

		t->daemon = d;
		t->closed.fn = on_worker_closed;
		t->loop = setup.loop = loop_real_new();
		if (t->loop == NULL)
			return false;
		t->loop->stall_ns = STALL_NS;
		t->worker = worker_new(&setup);
		set_places(d, t->worker);
	}
	return true;
}

/* Signals are the main thread's: workers are started with all of them blocked. */
static bool
start_workers(struct daemon *d)
{
	sigset_t all, old;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (size_t i = 0; i < d->n_threads && rc == 0; i++) {
		rc = pthread_create(&d->threads[i].thread, NULL, run_worker, &d->threads[i]);
		d->threads[i].is_started = rc == 0;
		d->n_running += rc == 0;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		log_error("worker threads cannot be started: %s", strerror(rc));
	return rc == 0;
}

static void
join_workers(struct daemon *d)
{
	for (size_t i = 0; d->threads != NULL && i < d->n_threads; i++)
		if (d->threads[i].is_started)
			pthread_join(d->threads[i].thread, NULL);
}

static void
free_workers(struct daemon *d)
{
	for (size_t i = 0; d->threads != NULL && i < d->n_threads; i++) {
		struct worker_thread *t = &d->threads[i];

		if (t->worker != NULL) {
			if (!t->is_started)
				t->worker->on_closed = NULL; /* nobody waits for it */
			worker_close(t->worker);
			loop_turn(t->loop, 0);
			worker_free(t->worker);
		}
		if (t->loop != NULL)
			loop_free(t->loop);
	}
	free(d->threads);
	d->threads = NULL;
	d->n_threads = 0; /* a signal may still come, and would post to them */
}

/* ---- the main thread */

static void
watch_signals(struct daemon *d)
{
	static const struct {
		int signum;
		event_callback_fn fn;
	} rows[] = { { SIGTERM, on_terminate }, { SIGINT, on_terminate }, { SIGHUP, on_hangup } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		evsignal_assign(
		    &d->signals[i], loop_real_base(d->loop), rows[i].signum, rows[i].fn, d);
		evsignal_add(&d->signals[i], NULL);
	}
}

/* What signals would end is about to be freed: from here on they wait, and go with the process. */
static void
unwatch_signals(struct daemon *d)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (size_t i = 0; i < ARRAY_LEN(d->signals); i++)
		if (event_initialized(&d->signals[i]))
			evsignal_del(&d->signals[i]);
}

static void
init_server(struct daemon *d)
{
	struct server_setup setup = {
		.gather = &d->env,
		.metrics = &d->shared.shards[d->n_threads],
		.admin = &d->shared.view,
		.seed = random_seed(),
	};

	json_scan_init(&d->js, random_seed());
	d->env.loop = d->loop;
	d->env.js = &d->js;
	server_init(&d->server, &setup);
}

static bool
open_log(struct daemon *d)
{
	const struct conf *c = d->gen->conf;

	if (!c->access_log.is_enabled)
		return true;
	d->log = access_log_new(c->access_log.path.s);
	return d->log != NULL;
}

static bool
start(struct daemon *d)
{
	signal(SIGPIPE, SIG_IGN);
	init_server(d);
	/* Until it is watched for, SIGTERM ends the process: nothing is open yet. */
	if (!look_up_names(d))
		return false;
	watch_signals(d);
	d->certs = certs_new(d->gen->conf, d->loop, d->n_threads);
	if (d->certs == NULL || !open_log(d) || !make_workers(d) || !open_listeners(d))
		return false;
	open_mocks(d);
	if (!start_workers(d))
		return false;
	certs_watch(d->certs, &certs_events, d);
	d->trust = trust_new(d->gen, d->loop, d->n_threads, &trust_events, d);
	atomic_store(&d->shared.view.is_ready, true);
	notify_ready();
	log_info("ready: %zu workers, %zu routes, %zu upstreams", d->n_threads,
	    d->gen->conf->n_routes, d->gen->conf->n_upstreams);
	return true;
}

/* In the reverse order of start(), from wherever it came to. */
static void
stop(struct daemon *d)
{
	if (d->n_running != 0) {
		post_all(d, worker_post_stop);
		loop_run(d->loop);
	}
	unwatch_signals(d);
	join_workers(d);
	free_workers(d);
	certs_free(d->certs);
	trust_free(d->trust);
	activation_fini(&d->activation);
	server_close(&d->server);
	names_free(d->names);
	loop_turn(d->loop, 0);
	server_fini(&d->server);
	json_scan_fini(&d->js);
	if (d->log != NULL)
		access_log_close(&d->log);
	loop_turn(d->loop, 0);
	dns_ares_free(d->dns);
	loop_free(d->loop);
}

static int
run(struct daemon *d)
{
	bool is_started;

	raise_file_limit();
	d->loop = loop_real_new();
	if (d->loop == NULL)
		return EXIT_FAILURE;
	d->n_threads = d->gen->conf->workers;
	shared_init(&d->shared, d->gen, d->n_threads);
	is_started = start(d);
	if (is_started)
		loop_run(d->loop);
	stop(d);
	if (is_started)
		listening_unlink(d->gen->conf);
	shared_fini(&d->shared);
	if (is_started)
		log_info("stopped");
	if (d->is_refused)
		return EX_CONFIG;
	return is_started ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
daemon_run(const char *conf_path)
{
	struct daemon d = { 0 };
	bool is_config;
	int status;

	log_init(LOG_INFO);
	d.gen = generation_load(conf_path, &is_config);
	if (d.gen == NULL)
		return is_config ? EX_CONFIG : EXIT_FAILURE;
	status = run(&d);
	generation_free(d.gen);
	return status;
}
