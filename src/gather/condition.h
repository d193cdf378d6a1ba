/*
 * Conditions (`when:`), compiled at load:
 *
 *     {header.x-tier} in [gold, silver] and not ({query.n} > 10 or exists {cookie.beta})
 *
 *     or      := and { "or" and }
 *     and     := not { "and" not }
 *     not     := "not" not | "(" or ")" | "exists" reference | operand [ operator operand ]
 *     operator:= "==" | "!=" | "<" | "<=" | ">" | ">=" | "in"
 *     operand := reference | "text" | 'text' | word | number | true | false | null | "[" operand, ... "]"
 *
 * Typed: a number is never equal to a text, but text that comes from outside of JSON (paths, queries, fields)
 * is compared as a number with a number. What is not there is null; ordering anything but two numbers or two
 * texts is false. An operand alone is true only when it is the boolean true.
 */
#ifndef GATHER_CONDITION_H
#define GATHER_CONDITION_H

#include "gather/template_eval.h"

struct condition;

/* Into the arena. ERR_BAD_CONFIG with the offset in the text and what is wrong. */
enum err_code condition_compile(struct arena *arena, struct str text,
    const struct template_params *params, struct condition **out, struct template_error *error);
bool condition_holds(
    const struct condition *c, const struct template_env *env, struct arena *arena);
/* Adds what it refers to; what is not there is null in a condition, so nothing is needed. */
void condition_add_uses(struct template_uses *to, const struct condition *c);

#endif
