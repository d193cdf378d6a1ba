/*
 * Any bytes as what a DNS server answers, and as a hosts file: what is read of them is within its bounds, names are
 * names, and the servers that come of it are the same ones when the same is said again.
 */
#include "daemon/places.h"
#include "net/dns_message.h"
#include "net/hosts_file.h"
#include "fuzz.h"

#define NAME STR("users.test")
static void
check_outcome(enum err_code e, size_t n, size_t max)
{
	MUST(n <= max);
	MUST((e == ERR_NONE) == (n != 0));
	MUST(e == ERR_NONE || e == ERR_DNS_NOT_FOUND || e == ERR_DNS_FAILED);
}

static void
check_services(struct str message)
{
	struct dns_srv_list list;

	dns_message_services(message, NAME, &list);
	check_outcome(list.error, list.n, DNS_HOSTS_MAX);
	for (size_t i = 0; i < list.n; i++) {
		MUST(strlen(list.at[i].target) <= DNS_NAME_MAX);
		MUST(addr_is_name(str_c(list.at[i].target)));
		MUST(list.at[i].port != 0);
	}
}

static struct dns_answer *
read_answer(struct str bytes, bool is_file)
{
	struct dns_answer *a = calloc(1, sizeof *a + sizeof a->hosts[0]);

	MUST(a != NULL);
	a->n_hosts = 1;
	if (is_file) {
		hosts_file_find(bytes, NAME, a->hosts[0].family);
	} else {
		dns_message_addresses(bytes, NAME, DNS_V4, &a->hosts[0].family[DNS_V4]);
		dns_message_addresses(bytes, NAME, DNS_V6, &a->hosts[0].family[DNS_V6]);
	}
	for (int i = 0; i < DNS_FAMILIES; i++)
		check_outcome(
		    a->hosts[0].family[i].error, a->hosts[0].family[i].n, DNS_ADDRS_MAX);
	return a;
}

static void
check_places(struct str bytes, bool is_file)
{
	static const struct server_conf server = { .port = 80, .weight = 1 };
	struct dns_answer *once = read_answer(bytes, is_file), *twice = read_answer(bytes, is_file);
	struct places first = { 0 }, second = { 0 };
	struct buf text = BUF_INIT;

	places_make(&first, once, &server);
	places_keep(twice, once);
	places_make(&second, twice, &server);
	MUST(first.n <= PLACES_MAX && places_equal(&first, &second));
	places_describe_change(&first, &second, &text);
	MUST(str_find(buf_str(&text), '+') == text.n && str_find(buf_str(&text), '-') == text.n);
	buf_fini(&text);
	places_fini(&first);
	places_fini(&second);
	free(once);
	free(twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_of((const char *)data, size);

	check_services(bytes);
	check_places(bytes, false);
	check_places(bytes, true);
	return 0;
}
