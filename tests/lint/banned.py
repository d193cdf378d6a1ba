"""Functions that cannot be used safely on what a peer sends, and what to use instead."""
import re

import lint

INSTEAD = {
    "strcpy": "str or buf_append", "stpcpy": "str or buf_append", "strcat": "buf_append",
    "strncpy": "memcpy with a checked length", "strncat": "buf_append",
    "sprintf": "snprintf or buf_printf", "vsprintf": "vsnprintf",
    "strtok": "str_split", "strtok_r": "str_split",
    "atoi": "str_to_u64", "atol": "str_to_u64", "atoll": "str_to_u64", "atof": "a checked parser",
    "strtol": "str_to_u64", "strtoll": "str_to_u64", "strtoul": "str_to_u64", "strtoull": "str_to_u64",
    "sscanf": "a parser over str", "alloca": "the arena", "gets": "read", "rand": "rnd", "srand": "rnd",
    "random": "rnd",
}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(INSTEAD))

for path in lint.files("src", ".c", ".h") + lint.files("tests", ".c", ".h"):
    for number, line in enumerate(lint.code_lines(path), 1):
        for match in CALL.finditer(line):
            name = match.group(1)
            lint.finding(path, number, "%s() is banned; use %s" % (name, INSTEAD[name]))
lint.finish()
