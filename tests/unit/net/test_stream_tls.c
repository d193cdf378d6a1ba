#include "net/stream_tls.h"

#include "base/mem.h"
#include "net/tls_identity.h"
#include "kernel_rig.h"
#include "tls_rig.h"

#define HOUR 3600

static struct rig_dir dir;
static struct tls_server_conf server;
static struct tls_client_conf client;
static struct rig rig;

/* A server whose certificate the client trusts. */
static void
set_up(void)
{
	rig_dir_init(&dir);
	server = rig_server_conf(rig_cert(&dir, RIG_EC, "DNS:a.test,IP:127.0.0.1", -HOUR, HOUR));
	client = (struct tls_client_conf){ .ca = server.own.certificate };
}

static void
tear_down(void)
{
	rig_dir_fini(&dir);
}

static char *
pattern(size_t n)
{
	char *text = mem_alloc(n);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 31 + i / 251);
	return text;
}

static void
expect_same(const struct buf *got, struct str want)
{
	ck_assert_uint_eq(got->n, want.n);
	ck_assert_int_eq(memcmp(got->p, want.p, want.n), 0);
}

/* n bytes each way, then an orderly end. */
static void
exchange(size_t n)
{
	char *text = pattern(n);

	rig.a.out = rig.b.out = str_of(text, n);
	rig.a.ends_after = rig.b.ends_after = true;
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.a.n_connected, 1);
	ck_assert_int_eq(rig.b.n_connected, 1);
	ck_assert_int_eq(rig.a.result, ERR_NONE);
	expect_same(&rig.a.in, rig.b.out);
	expect_same(&rig.b.in, rig.a.out);
	ck_assert(rig.a.is_ended && rig.b.is_ended);
	ck_assert(!rig.a.is_broken && !rig.b.is_broken);
	free(text);
}

START_TEST(carries_bytes_both_ways)
{
	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	exchange(300000);
	rig_close(&rig);
	tear_down();
}
END_TEST

START_TEST(tells_of_what_openssl_has_buffered)
{
	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	rig.a.read_bytes = 7;
	rig.b.read_bytes = 4000;
	exchange(50000);
	rig_close(&rig);
	tear_down();
}
END_TEST

START_TEST(takes_one_byte_at_a_time)
{
	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	rig.world->faults.window_bytes = 1;
	exchange(3000);
	rig_close(&rig);
	tear_down();
}
END_TEST

START_TEST(survives_splits_and_refusals_of_every_order)
{
	set_up();
	for (uint64_t seed = 1; seed <= 150; seed++) {
		rig_open(&rig, seed, &server, &client, "a.test");
		rig.world->faults = (struct mem_faults){
			.latency_ns = NS_PER_MS,
			.window_bytes = seed % 3 == 0 ? 500 : 20000,
			.split_chance = 500000,
			.again_chance = 300000,
			.late_chance = 200000,
		};
		rig.a.read_bytes = 1 + seed * 97 % 20000;
		exchange(1000 + seed * 300);
		rig_close(&rig);
	}
	tear_down();
}
END_TEST

/*
 * An idle connection to a server, which closes at the first byte, must not hear of session tickets.
 *
 */
START_TEST(session_tickets_are_not_told)
{
	set_up();
	for (uint64_t seed = 1; seed <= 20; seed++) {
		rig_open(&rig, seed, &server, &client, "a.test");
		rig.world->faults.latency_ns = NS_PER_MS;
		rig.world->faults.split_chance = 500000;
		rig_connect(&rig);
		rig_run(&rig);
		ck_assert_ptr_nonnull(rig.peer.session);
		SSL_key_update(rig.server_ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
		rig.b.out = STR("hello");
		rig_send(&rig.b);
		rig_run(&rig);
		ck_assert_str_is(buf_str(&rig.a.in), "hello");
		ck_assert_int_eq(rig.a.n_idle, 0);
		rig_close(&rig);
	}
	tear_down();
}
END_TEST

/* A key update that wants an answer makes a read write, while the way out is full. */
START_TEST(reads_that_write_are_carried_on)
{
	set_up();
	for (uint64_t seed = 1; seed <= 40; seed++) {
		char *text = pattern(60000);

		rig_open(&rig, seed, &server, &client, "a.test");
		rig.world->faults.window_bytes = 300;
		rig.world->faults.again_chance = 300000;
		rig.a.out = rig.b.out = str_of(text, 60000);
		rig_connect(&rig);
		for (int i = 0; mem_world_step(rig.world); i++)
			if (i % 50 == 0 && rig.b.n_connected == 1 && rig.server_ssl != NULL)
				SSL_key_update(rig.server_ssl, SSL_KEY_UPDATE_REQUESTED);
		expect_same(&rig.a.in, rig.b.out);
		expect_same(&rig.b.in, rig.a.out);
		rig_close(&rig);
		free(text);
	}
	tear_down();
}
END_TEST

/* Whatever breaks, each end hears of it once, and nothing is left behind. */
START_TEST(survives_resets_and_hang_ups_at_any_time)
{
	set_up();
	for (uint64_t seed = 1; seed <= 400; seed++) {
		char *text = pattern(20000);

		rig_open(&rig, seed, &server, &client, "a.test");
		rig.world->faults = (struct mem_faults){
			.latency_ns = NS_PER_MS,
			.window_bytes = 2000,
			.split_chance = 300000,
			.reset_chance = seed % 2 == 0 ? 30000 : 0,
		};
		rig.a.out = rig.b.out = str_of(text, 20000);
		rig_connect(&rig);
		for (uint64_t i = 0; i < seed % 97 && mem_world_step(rig.world); i++)
			;
		if (seed % 3 == 0)
			stream_reset(&rig.a.stream);
		rig_hang_up(&rig);
		ck_assert_int_le(rig.a.n_connected, 1);
		ck_assert_uint_eq(rig.world->n_streams, 0);
		rig_close(&rig);
		free(text);
	}
	tear_down();
}
END_TEST

/* ---- the kernel encrypts */

static void
on_accept_kernel(void *owner, struct stream *stream, const struct addr *peer)
{
	rig_on_accept(owner, kernel_new(stream), peer);
}

static const struct mem_listener_events kernel_accepts = { .on_accept = on_accept_kernel };

static void
open_kernel(uint64_t seed)
{
	rig_open(&rig, seed, &server, &client, "a.test");
	mem_world_unlisten(&rig.listener);
	rig.listener = mem_world_listen(rig.world, rig.loop, &rig.at, &kernel_accepts, &rig);
	kernel_n_data = kernel_n_others = 0;
}

/* Of a handshake whose last flight does not leave at once it is not asked. */
static void
exchange_by_kernel(uint64_t seed, int version)
{
	open_kernel(seed);
	SSL_CTX_set_max_proto_version(rig.client->ctx, version);
	if (seed > 1)
		rig.world->faults = (struct mem_faults){
			.latency_ns = NS_PER_MS,
			.window_bytes = 2000,
			.split_chance = 300000,
			.again_chance = seed % 2 == 0 ? 100000 : 0,
		};
	exchange(1000 + seed * 2000);
	rig_hang_up(&rig);
	exchange(1000);
	ck_assert_int_eq(rig.n_resumed, 1);
	rig_close(&rig);
}

/* Tickets and the end are records of other types; all else goes as it is. */
START_TEST(the_kernel_can_encrypt)
{
	set_up();
	server.has_ktls = true;
	server.ciphers = rig_text("ECDHE-ECDSA-AES128-GCM-SHA256");
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		size_t n_by_kernel = 0;

		for (uint64_t seed = 1; seed <= 40; seed++) {
			exchange_by_kernel(seed, version);
			ck_assert(seed > 1 || (kernel_n_data > 0 && kernel_n_others > 0));
			n_by_kernel += kernel_n_data > 0;
		}
		ck_assert_uint_gt(n_by_kernel, 10);
	}
	tear_down();
}
END_TEST

START_TEST(what_the_kernel_refuses_is_done_here)
{
	set_up();
	open_kernel(1);
	exchange(100000);
	ck_assert_uint_eq(kernel_n_data, 0); /* it was not asked to */
	rig_close(&rig);
	server.has_ktls = true;
	kernel_refuses = true;
	open_kernel(1);
	exchange(100000);
	kernel_refuses = false;
	ck_assert_uint_eq(kernel_n_data, 0);
	rig_close(&rig);
	rig_open(&rig, 1, &server, &client, "a.test"); /* there is no kernel below */
	exchange(100000);
	rig_close(&rig);
	tear_down();
}
END_TEST

/* The kernel has the old keys, and would go on with them: what came after would be noise. */
static SSL *client_ssl;

static void
note_client(const SSL *ssl, int where, int rc)
{
	(void)where;
	(void)rc;
	client_ssl = (SSL *)(uintptr_t)ssl;
}

START_TEST(other_keys_end_what_the_kernel_encrypts)
{
	set_up();
	server.has_ktls = true;
	open_kernel(1);
	SSL_CTX_set_info_callback(rig.client->ctx, note_client);
	rig.b.out = STR("before");
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_uint_gt(kernel_n_others, 0);
	ck_assert(SSL_key_update(client_ssl, SSL_KEY_UPDATE_REQUESTED));
	rig.a.out = STR("new keys, please");
	rig_send(&rig.a);
	rig_run(&rig);
	ck_assert_str_is(buf_str(&rig.b.in), "new keys, please");
	rig.b.out = STR("before, and after");
	rig_send(&rig.b);
	rig_run(&rig);
	ck_assert(rig.b.is_broken);
	ck_assert_str_is(buf_str(&rig.a.in), "before");
	rig_close(&rig);
	tear_down();
}
END_TEST

/* ---- why a server is not believed */

static enum err_code
result_of(const char *name)
{
	enum err_code e;

	rig_open(&rig, 1, &server, &client, name);
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.a.n_connected, 1);
	e = rig.a.result;
	rig_close(&rig);
	return e;
}

START_TEST(checks_who_answers)
{
	set_up();
	ck_assert_int_eq(result_of("a.test"), ERR_NONE);
	ck_assert_int_eq(result_of("127.0.0.1"), ERR_NONE);
	ck_assert_int_eq(result_of("127.0.0.2"), ERR_TLS_NAME_MISMATCH);
	ck_assert_int_eq(result_of("b.test"), ERR_TLS_NAME_MISMATCH);
	client.ca = rig_cert(&dir, RIG_EC, "DNS:other.test", -HOUR, HOUR).certificate;
	ck_assert_int_eq(result_of("a.test"), ERR_TLS_UNTRUSTED);
	client.is_unverified = true;
	ck_assert_int_eq(result_of("b.test"), ERR_NONE);
	tear_down();
}
END_TEST

START_TEST(checks_the_time)
{
	set_up();
	server.own = rig_cert(&dir, RIG_EC, "DNS:a.test", -2 * HOUR, -HOUR);
	client.ca = server.own.certificate;
	ck_assert_int_eq(result_of("a.test"), ERR_TLS_CERTIFICATE_EXPIRED);
	server.own = rig_cert(&dir, RIG_EC, "DNS:a.test", HOUR, 2 * HOUR);
	client.ca = server.own.certificate;
	ck_assert_int_eq(result_of("a.test"), ERR_TLS_CERTIFICATE_EXPIRED);
	tear_down();
}
END_TEST

START_TEST(asks_clients_for_certificates)
{
	struct tls_cert_conf known, unknown;

	set_up();
	known = rig_cert(&dir, RIG_RSA, "DNS:client", -HOUR, HOUR);
	unknown = rig_cert(&dir, RIG_EC, "DNS:client", -HOUR, HOUR);
	server.client_ca = known.certificate;
	server.client_auth = TLS_CLIENT_AUTH_REQUIRED;
	server.min_version = TLS_VERSION_1_2;
	rig_open(&rig, 1, &server, &client, "a.test");
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.ended, ERR_TLS_CLIENT_CERTIFICATE);
	rig_close(&rig);
	client.client_certificate = unknown.certificate;
	client.client_key = unknown.key;
	rig_open(&rig, 1, &server, &client, "a.test");
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.ended, ERR_TLS_CLIENT_CERTIFICATE);
	rig_close(&rig);
	client.client_certificate = known.certificate;
	client.client_key = known.key;
	ck_assert_int_eq(result_of("a.test"), ERR_NONE);
	server.client_auth = TLS_CLIENT_AUTH_OPTIONAL;
	client.client_certificate = client.client_key = (struct conf_text){ 0 };
	ck_assert_int_eq(result_of("a.test"), ERR_NONE);
	tear_down();
}
END_TEST

START_TEST(tells_who_the_client_is)
{
	struct tls_cert_conf own;
	struct tls_identity *who;

	set_up();
	own = rig_cert(&dir, RIG_EC, "DNS:c.test,URI:http://x/a%2Cb,IP:10.0.0.1,IP:::1,RID:1.2.3",
	    -HOUR, HOUR);
	server.client_ca = client.client_certificate = own.certificate;
	client.client_key = own.key;
	server.client_auth = TLS_CLIENT_AUTH_OPTIONAL;
	rig_open(&rig, 1, &server, &client, "a.test");
	rig_connect(&rig);
	rig_run(&rig);
	who = stream_tls_identity(rig.b.stream);
	ck_assert_ptr_nonnull(who);
	ck_assert_str_is(who->parts[TLS_IDENTITY_SUBJECT], "CN=test");
	/* What separates names cannot stand in one, and what is not text is left out. */
	ck_assert_str_is(
	    who->parts[TLS_IDENTITY_SAN], "DNS:c.test, URI:http://x/a%252Cb, IP:10.0.0.1, IP:::1");
	ck_assert_uint_eq(who->parts[TLS_IDENTITY_FINGERPRINT].n, 64);
	tls_identity_free(who);
	rig_hang_up(&rig);
	rig_close(&rig);
	client.client_certificate = client.client_key = (struct conf_text){ 0 };
	rig_open(&rig, 1, &server, &client, "a.test");
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_ptr_null(stream_tls_identity(rig.b.stream));
	rig_close(&rig);
	tear_down();
}
END_TEST

static void
on_accept_plain(void *owner, struct stream *stream, const struct addr *peer)
{
	struct rig *r = owner;

	(void)peer;
	r->b.stream = stream;
	r->b.out = STR("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	stream_set_owner(stream, &rig_events, &r->b);
	rig_send(&r->b);
}

START_TEST(tells_a_server_without_tls)
{
	static const struct mem_listener_events plain = { .on_accept = on_accept_plain };

	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	mem_world_unlisten(&rig.listener);
	rig.listener = mem_world_listen(rig.world, rig.loop, &rig.at, &plain, &rig);
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.a.result, ERR_TLS_PROTOCOL);
	rig_close(&rig);
	tear_down();
}
END_TEST

static void
on_accept_close(void *owner, struct stream *stream, const struct addr *peer)
{
	(void)owner;
	(void)peer;
	stream_close(&stream);
}

START_TEST(tells_a_server_that_hangs_up)
{
	static const struct mem_listener_events rude = { .on_accept = on_accept_close };

	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	mem_world_unlisten(&rig.listener);
	rig.listener = mem_world_listen(rig.world, rig.loop, &rig.at, &rude, &rig);
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.a.result, ERR_TLS_HANDSHAKE);
	rig_close(&rig);
	tear_down();
}
END_TEST

START_TEST(passes_a_refused_connection_on)
{
	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	rig.world->faults.refuse_chance = MEM_WORLD_CHANCE;
	rig_connect(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.a.result, ERR_CONNECT_REFUSED);
	rig_close(&rig);
	tear_down();
}
END_TEST

/* ---- sessions */

static int
resumed_after(uint64_t pause_ns)
{
	int n;

	rig_open(&rig, 1, &server, &client, "a.test");
	exchange(100);
	rig_hang_up(&rig);
	rig.world->now_ns += pause_ns;
	exchange(100);
	n = rig.n_resumed;
	rig_close(&rig);
	return n;
}

START_TEST(resumes_sessions_while_their_key_is_known)
{
	set_up();
	ck_assert_int_eq(resumed_after(0), 1);
	ck_assert_int_eq(resumed_after(server.ticket_lifetime_ns), 1);
	ck_assert_int_eq(resumed_after(2 * server.ticket_lifetime_ns), 0);
	server.ciphersuites = rig_text("TLS_AES_256_GCM_SHA384");
	ck_assert_int_eq(resumed_after(0), 1);
	server.has_tickets = false;
	ck_assert_int_eq(resumed_after(0), 0);
	tear_down();
}
END_TEST

/* ---- the gate */

static void
on_nothing(void *owner)
{
	(void)owner;
}

static void
on_plain_connected(void *owner, enum err_code e)
{
	(void)owner;
	(void)e;
}

static const struct stream_events silent_events = {
	.on_connected = on_plain_connected,
	.on_readable = on_nothing,
	.on_writable = on_nothing,
};

struct half_open {
	struct stream *stream;
	struct rig_end end;
};

static struct half_open half[20];
static size_t n_half;

static void
on_accept_half(void *owner, struct stream *stream, const struct addr *peer)
{
	struct rig *r = owner;
	struct rig_end *end = &half[n_half++].end;

	(void)peer;
	end->stream = stream_tls_accept(&r->gate, stream);
	stream_set_owner(end->stream, &rig_events, end);
}

static void
open_half(size_t n, struct str first)
{
	static const struct mem_listener_events events = { .on_accept = on_accept_half };
	struct iovec iov = str_iov(first);
	size_t put;

	n_half = 0;
	memset(half, 0, sizeof half);
	mem_world_unlisten(&rig.listener);
	rig.listener = mem_world_listen(rig.world, rig.loop, &rig.at, &events, &rig);
	for (size_t i = 0; i < n; i++) {
		half[i].stream = stream_connect(rig.loop, &rig.at, &silent_events, NULL);
		loop_turn(rig.loop, 0);
		loop_turn(rig.loop, 0);
		if (first.n != 0)
			ck_assert_int_eq(stream_writev(half[i].stream, &iov, 1, &put), IO_OK);
		loop_turn(rig.loop, 0);
	}
}

static void
close_half(void)
{
	for (size_t i = 0; i < ARRAY_LEN(half); i++) {
		stream_close(&half[i].stream);
		stream_close(&half[i].end.stream);
	}
}

#define HALF_HELLO STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

START_TEST(the_oldest_handshake_gives_way)
{
	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	rig.gate.limit = 3;
	open_half(5, HALF_HELLO);
	ck_assert_uint_eq(rig.gate.n_begun, 3);
	ck_assert_int_eq(half[0].end.result, ERR_OVERLOADED);
	ck_assert_int_eq(half[1].end.result, ERR_OVERLOADED);
	ck_assert_int_eq(half[2].end.n_connected, 0);
	close_half();
	rig_close(&rig);
	tear_down();
}
END_TEST

START_TEST(who_says_nothing_costs_no_ssl_and_is_timed_out)
{
	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	rig.gate.limit = 3;
	open_half(10, str_none());
	ck_assert_uint_eq(rig.gate.n_begun, 0);
	ck_assert_uint_eq(n_half, 10);
	rig_run(&rig);
	for (size_t i = 0; i < 10; i++)
		ck_assert_int_eq(half[i].end.result, ERR_REQUEST_TIMEOUT);
	close_half();
	rig_close(&rig);
	tear_down();
}
END_TEST

START_TEST(a_turn_makes_few_steps_of_handshakes)
{
	struct iovec iov = str_iov(HALF_HELLO);
	size_t put;

	set_up();
	rig_open(&rig, 1, &server, &client, "a.test");
	open_half(20, str_none());
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(stream_writev(half[i].stream, &iov, 1, &put), IO_OK);
	loop_turn(rig.loop, 0);
	ck_assert_uint_gt(rig.gate.n_begun, 0);
	ck_assert_uint_le(rig.gate.n_begun, 16);
	for (int i = 0; i < 10; i++)
		loop_turn(rig.loop, 0);
	ck_assert_uint_eq(rig.gate.n_begun, 20);
	close_half();
	rig_close(&rig);
	tear_down();
}
END_TEST

UNIT_MAIN("stream_tls", carries_bytes_both_ways, tells_of_what_openssl_has_buffered,
    takes_one_byte_at_a_time, session_tickets_are_not_told,
    survives_splits_and_refusals_of_every_order, reads_that_write_are_carried_on,
    survives_resets_and_hang_ups_at_any_time, checks_who_answers, checks_the_time,
    asks_clients_for_certificates, tells_who_the_client_is, tells_a_server_without_tls,
    tells_a_server_that_hangs_up, the_kernel_can_encrypt, what_the_kernel_refuses_is_done_here,
    other_keys_end_what_the_kernel_encrypts, passes_a_refused_connection_on,
    resumes_sessions_while_their_key_is_known, the_oldest_handshake_gives_way,
    who_says_nothing_costs_no_ssl_and_is_timed_out, a_turn_makes_few_steps_of_handshakes)
