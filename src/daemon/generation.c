/* Makes a configuration ready to serve. Main thread, before the workers run. */
#include "daemon/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf_load.h"
#include "daemon/mock.h"

void
generation_own_listener(struct listener_conf *out, struct str name, const struct addr *at)
{
	*out = (struct listener_conf){
		.name = name,
		.address = *at,
		.timeouts = { .header_ns = 10 * NS_PER_SEC,
		    .body_ns = 10 * NS_PER_SEC,
		    .idle_ns = 3600 * NS_PER_SEC,
		    .write_stall_ns = 10 * NS_PER_SEC },
		.limits = { .connections = 65536,
		    .header_bytes = 65536,
		    .headers = 256,
		    .body = UINT64_C(16) << 20 },
	};
}

static struct generation *
generation_new(void)
{
	struct generation *gen = mem_calloc(1, sizeof *gen);

	arena_init(&gen->arena, NULL, 0);
	return gen;
}

void
generation_free(struct generation *gen)
{
	for (size_t i = 0; i < gen->n_mocks; i++)
		mock_close(&gen->mocks[i]);
	for (size_t i = 0; gen->tls_files != NULL && i < gen->conf->n_upstreams; i++)
		tls_client_files_fini(&gen->tls_files[i]);
	arena_reset(&gen->arena);
	free(gen);
}

/* The files may have changed since they were checked. */
static enum err_code
read_tls_files(struct generation *gen, size_t i)
{
	struct tls_client_files *files = &gen->tls_files[i];
	struct tls_fault fault;
	struct tls_client *trial = NULL;

	if (tls_client_files_load(files, &gen->conf->upstreams[i].tls, &fault) == ERR_NONE)
		trial = tls_client_new(files, NULL, &fault);
	tls_client_free(trial);
	if (trial != NULL)
		return ERR_NONE;
	conf_error_add(&gen->errors, fault.pos, "%s", fault.text);
	return ERR_BAD_CONFIG;
}

static enum err_code
read_all_tls_files(struct generation *gen)
{
	const struct conf *c = gen->conf;
	enum err_code e = ERR_NONE;

	gen->tls_files = arena_calloc(&gen->arena, c->n_upstreams, sizeof *gen->tls_files);
	for (size_t i = 0; i < c->n_upstreams && e == ERR_NONE; i++)
		if (upstream_conf_has_tls(&c->upstreams[i]))
			e = read_tls_files(gen, i);
	return e;
}

static enum err_code
build(struct generation *gen)
{
	struct conf *c = gen->conf;
	struct site_conf site = { c->routes, c->n_routes, c->upstreams };
	struct plan_fault error;

	if (site_build(&gen->arena, &site, &gen->site, &error) != ERR_NONE) {
		conf_error_add(&gen->errors, error.where, "%s", error.message);
		return ERR_BAD_CONFIG;
	}
	generation_own_listener(&gen->admin_socket, STR("admin"), &c->admin.socket_address);
	generation_own_listener(&gen->admin_address, STR("admin"), &c->admin.address);
	return read_all_tls_files(gen);
}

static enum err_code
load(struct generation *gen, const char *path)
{
	enum err_code e = conf_load(path, &gen->arena, &gen->conf, &gen->errors);

	if (e == ERR_NONE)
		e = mock_open_all(gen);
	if (e == ERR_NONE)
		e = build(gen);
	return e;
}

struct generation *
generation_load(const char *path, bool *is_config)
{
	struct generation *gen = generation_new();
	enum err_code e = load(gen, path);

	conf_error_print(&gen->errors, stderr);
	*is_config = e == ERR_BAD_CONFIG;
	if (e == ERR_NONE)
		return gen;
	if (e == ERR_SYSTEM)
		log_error("mock services cannot listen on the loopback address: %s", strerror(errno));
	generation_free(gen);
	return NULL;
}

void
generation_set_server(struct generation *gen, struct upstream_conf *up, struct str host, const struct addr *at)
{
	struct server_conf *server = arena_calloc(&gen->arena, 1, sizeof *server);

	server->host = host;
	server->addrs = arena_alloc(&gen->arena, sizeof *at);
	server->addrs[0] = *at;
	server->n_addrs = 1;
	server->weight = 1;
	up->servers = server;
	up->n_servers = 1;
}

/* At an address that is only a name; its Host stays. */
static enum err_code
detach(struct generation *gen, struct upstream_conf *up, size_t index)
{
	struct str text = arena_printf(&gen->arena, "127.0.0.1:%zu", index + 1);
	struct addr at;
	enum err_code e = addr_parse(text, &at);

	if (e == ERR_NONE)
		generation_set_server(gen, up, up->n_servers == 0 ? up->name : up->servers[0].host, &at);
	return e;
}

struct generation *
generation_read(const char *path)
{
	struct generation *gen = generation_new();
	enum err_code e = conf_load(path, &gen->arena, &gen->conf, &gen->errors);

	for (size_t i = 0; e == ERR_NONE && i < gen->conf->n_upstreams; i++)
		e = detach(gen, &gen->conf->upstreams[i], i);
	if (e == ERR_NONE)
		e = mock_prepare_all(gen);
	if (e == ERR_NONE)
		e = build(gen);
	conf_error_print(&gen->errors, stderr);
	if (e == ERR_NONE)
		return gen;
	generation_free(gen);
	return NULL;
}

struct generation *
generation_load_text(struct str text)
{
	struct generation *gen = generation_new();
	enum err_code e = conf_load_text(text, "text", &gen->arena, &gen->conf, &gen->errors);

	if (e == ERR_NONE)
		e = build(gen);
	if (e == ERR_NONE)
		return gen;
	conf_error_print(&gen->errors, stderr);
	generation_free(gen);
	return NULL;
}
