/* Mock services. Main thread, before the workers run. */
#include "daemon/mock.h"

#include <unistd.h>

#include "daemon/generation.h"
#include "net/sock.h"

#define MOCK_BACKLOG 1024

static enum err_code
build_site(struct generation *gen, const struct upstream_conf *up, struct generation_mock *mock)
{
	struct site_conf conf = { .n_routes = up->n_mocks, .upstreams = gen->conf->upstreams };
	struct route_conf *routes = arena_calloc(&gen->arena, up->n_mocks, sizeof *routes);
	struct plan_fault error;

	for (size_t i = 0; i < up->n_mocks; i++)
		routes[i] = route_conf_of_mock(&up->mocks[i]);
	conf.routes = routes;
	if (site_build(&gen->arena, &conf, &mock->site, &error) == ERR_NONE)
		return ERR_NONE;
	conf_error_add(&gen->errors, error.where, "%s", error.message);
	return ERR_BAD_CONFIG;
}

/* A port of the kernel's choice. */
static enum err_code
open_socket(struct generation_mock *mock, struct addr *at)
{
	enum err_code e = addr_parse(STR("127.0.0.1:0"), at);

	if (e == ERR_NONE)
		e = sock_listen(at, false, MOCK_BACKLOG, &mock->fd);
	if (e == ERR_NONE)
		e = sock_local_addr(mock->fd, at);
	return e;
}

static enum err_code
open_one(struct generation *gen, struct upstream_conf *up, struct generation_mock *mock)
{
	struct addr at;
	enum err_code e = open_socket(mock, &at);

	if (e != ERR_NONE)
		return e;
	generation_own_listener(&mock->listener, up->name, &at);
	generation_set_server(gen, up, up->name, &at);
	return build_site(gen, up, mock);
}

static enum err_code
prepare_one(struct generation *gen, struct upstream_conf *up, struct generation_mock *mock)
{
	struct str text = arena_printf(&gen->arena, "127.0.0.2:%zu", gen->n_mocks);
	struct addr at;
	enum err_code e = addr_parse(text, &at);

	if (e != ERR_NONE)
		return e;
	generation_own_listener(&mock->listener, up->name, &at);
	return build_site(gen, up, mock);
}

typedef enum err_code begin_fn(
    struct generation *gen, struct upstream_conf *up, struct generation_mock *mock);

static enum err_code
begin_all(struct generation *gen, begin_fn *begin)
{
	struct conf *c = gen->conf;
	enum err_code e = ERR_NONE;

	gen->mocks = arena_calloc(&gen->arena, c->n_upstreams, sizeof *gen->mocks);
	for (size_t i = 0; i < c->n_upstreams && e == ERR_NONE; i++) {
		if (c->upstreams[i].n_mocks == 0)
			continue;
		gen->mocks[gen->n_mocks].fd = -1;
		e = begin(gen, &c->upstreams[i], &gen->mocks[gen->n_mocks++]);
	}
	return e;
}

enum err_code
mock_open_all(struct generation *gen)
{
	return begin_all(gen, open_one);
}

enum err_code
mock_prepare_all(struct generation *gen)
{
	return begin_all(gen, prepare_one);
}

int
mock_take_fd(struct generation_mock *mock)
{
	int fd = mock->fd;

	mock->fd = -1;
	return fd;
}

void
mock_close(struct generation_mock *mock)
{
	if (mock->fd >= 0)
		close(mock->fd);
	mock->fd = -1;
}
