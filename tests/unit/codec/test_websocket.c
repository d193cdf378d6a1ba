#include "codec/websocket.h"

#include "unit.h"

/* The example of RFC 6455 1.3. */
START_TEST(answers_the_example_of_the_rfc)
{
	char accept[WEBSOCKET_ACCEPT_BYTES];

	websocket_accept(STR("dGhlIHNhbXBsZSBub25jZQ=="), accept);
	ck_assert_str_is(str_of(accept, sizeof accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
END_TEST

START_TEST(a_key_is_16_octets_in_base64)
{
	ck_assert(websocket_is_key(STR("dGhlIHNhbXBsZSBub25jZQ==")));
	ck_assert(websocket_is_key(STR("+/+/+/+/+/+/+/+/+/+/+w==")));
	ck_assert(!websocket_is_key(STR("")));
	ck_assert(!websocket_is_key(STR("dGhlIHNhbXBsZSBub25jZQ=")));
	ck_assert(!websocket_is_key(STR("dGhlIHNhbXBsZSBub25jZQ=== ")));
	ck_assert(!websocket_is_key(STR("dGhlIHNhbXBsZSBub25jZTE2")));
	ck_assert(!websocket_is_key(STR("dGhlIHNhbXBsZSBub25j-Q==")));
	ck_assert(!websocket_is_key(STR("dGhlIHNhbXBsZSBub25j Q==")));
}
END_TEST

UNIT_MAIN("websocket", answers_the_example_of_the_rfc, a_key_is_16_octets_in_base64)
