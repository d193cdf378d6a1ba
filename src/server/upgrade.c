/* Handshakes of upgrades. No state; worker thread. */
#include "server/upgrade.h"

#include "codec/websocket.h"

/* The field's value when it is there once and not this hop's alone; else none. */
static struct str
single(const struct header_list *fields, enum header_id id)
{
	const struct header *h = header_find(fields, id);

	if (h == NULL || h->is_hop || header_next(fields, h) != NULL)
		return str_none();
	return h->value;
}

/* ---- the request */

/* Asked for by clients that do not need it. */
static bool
is_habit(struct str offered)
{
	struct str name = str_of(offered.p, str_find(offered, '/'));

	return str_ieq(offered, STR("h2c")) || str_ieq(name, STR("tls"));
}

bool
upgrade_is_offered(const struct h1_head *head)
{
	const struct header *h = header_find(&head->fields, HEADER_UPGRADE);

	for (; h != NULL; h = header_next(&head->fields, h))
		for (struct str rest = h->value, offered; header_next_element(&rest, &offered);)
			if (!is_habit(offered))
				return head->minor == 1;
	return false;
}

static bool
is_websocket(struct str protocol)
{
	return str_ieq(protocol, STR("websocket"));
}

/* RFC 6455 4.2.1 */
static enum err_code
check_websocket(const struct request *r)
{
	if (r->method != METHOD_GET || r->has_body ||
	    !websocket_is_key(single(r->headers, HEADER_SEC_WEBSOCKET_KEY)))
		return ERR_BAD_UPGRADE;
	if (!str_eq(single(r->headers, HEADER_SEC_WEBSOCKET_VERSION), STR("13")))
		return ERR_WEBSOCKET_VERSION;
	return ERR_NONE;
}

static struct str
find_protocol(const struct proxy_conf *conf, struct str offered)
{
	for (size_t i = 0; i < conf->n_upgrades; i++)
		if (str_ieq(conf->upgrades[i], offered))
			return conf->upgrades[i];
	return str_none();
}

struct str
upgrade_choose(const struct proxy_conf *conf, const struct request *r)
{
	const struct header *h = header_find(r->headers, HEADER_UPGRADE);

	for (; h != NULL; h = header_next(r->headers, h)) {
		for (struct str rest = h->value, offered; header_next_element(&rest, &offered);) {
			struct str protocol = find_protocol(conf, offered);

			if (!str_is_none(protocol))
				return protocol;
		}
	}
	return str_none();
}

enum err_code
upgrade_check(const struct proxy_conf *conf, const struct request *r)
{
	struct str protocol = upgrade_choose(conf, r);

	if (str_is_none(protocol))
		return ERR_UPGRADE_REFUSED;
	return is_websocket(protocol) ? check_websocket(r) : ERR_NONE;
}

struct str
upgrade_refusal_fields(enum err_code e)
{
	if (e != ERR_WEBSOCKET_VERSION)
		return STR("");
	return STR("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
}

/* ---- the answer */

/* RFC 6455 4.1, 4: the answer to our client's very key. */
static bool
has_right_accept(const struct request *r, const struct header_list *fields)
{
	char accept[WEBSOCKET_ACCEPT_BYTES];

	websocket_accept(single(r->headers, HEADER_SEC_WEBSOCKET_KEY), accept);
	return str_eq(
	    single(fields, HEADER_SEC_WEBSOCKET_ACCEPT), str_of(accept, sizeof accept));
}

static struct str
name_of_extension(struct str extension)
{
	return str_trim(str_of(extension.p, str_find(extension, ';')));
}

/* Is this name among those that the client's fields list? What Connection names has not crossed. */
static bool
was_offered(const struct request *r, enum header_id id, struct str name)
{
	const struct header *h = header_find(r->headers, id);

	for (; name.n > 0 && h != NULL; h = header_next(r->headers, h))
		for (struct str rest = h->value, e; header_next_element(&rest, &e);)
			if (!h->is_hop && str_eq(name_of_extension(e), name))
				return true;
	return false;
}

/* RFC 6455 4.1, 5: none that was not asked for. */
static bool
has_right_extensions(const struct request *r, const struct header_list *fields)
{
	const struct header *h = header_find(fields, HEADER_SEC_WEBSOCKET_EXTENSIONS);

	for (; h != NULL; h = header_next(fields, h))
		for (struct str rest = h->value, e; header_next_element(&rest, &e);)
			if (!was_offered(r, h->id, name_of_extension(e)))
				return false;
	return true;
}

/* RFC 6455 4.1, 6: one of those that were asked for, or none. */
static bool
has_right_subprotocol(const struct request *r, const struct header_list *fields)
{
	if (header_find(fields, HEADER_SEC_WEBSOCKET_PROTOCOL) == NULL)
		return true;
	return was_offered(r, HEADER_SEC_WEBSOCKET_PROTOCOL,
	    single(fields, HEADER_SEC_WEBSOCKET_PROTOCOL));
}

/* RFC 9110 7.8: Upgrade says what it is now, and Connection that it does. */
static bool
names_protocol(const struct h1_head *head, struct str protocol)
{
	const struct header *h = header_find(&head->fields, HEADER_UPGRADE);

	return head->minor == 1 && head->offers_upgrade && header_next(&head->fields, h) == NULL &&
	    str_ieq(h->value, protocol);
}

enum err_code
upgrade_check_answer(const struct request *r, struct str protocol, const struct h1_head *head)
{
	const struct header_list *fields = &head->fields;

	if (!names_protocol(head, protocol))
		return ERR_INVALID_UPGRADE;
	/* RFC 9110 8.6, RFC 9112 6.1: neither may be in a 1xx; who believes it waits for a body. */
	if (header_find(fields, HEADER_CONTENT_LENGTH) != NULL ||
	    header_find(fields, HEADER_TRANSFER_ENCODING) != NULL)
		return ERR_INVALID_UPGRADE;
	if (is_websocket(protocol) &&
	    !(has_right_accept(r, fields) && has_right_extensions(r, fields) &&
		has_right_subprotocol(r, fields)))
		return ERR_INVALID_UPGRADE;
	return ERR_NONE;
}
