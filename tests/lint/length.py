"""No function over 100 lines, no source file over 700, no line over 120 columns (tabs are eight)."""
import lint

FUNCTION_LINES = 100
FILE_LINES = 700
COLUMNS = 120


def check_functions(path, lines):
    """A function body begins and ends with a brace alone in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start is not None:
            length = number - start + 1
            if length > FUNCTION_LINES:
                lint.finding(path, start, "function of %d lines; split it so that none has more than %d"
                             % (length, FUNCTION_LINES))
            start = None


for path in lint.files("src", ".c", ".h") + lint.files("tests", ".c", ".h"):
    lines = lint.read(path).split("\n")
    check_functions(path, lint.code_lines(path))
    if path.startswith("src/") and len(lines) - 1 > FILE_LINES:
        lint.finding(path, len(lines) - 1, "file of %d lines; give one of its duties a file of its own"
                     % (len(lines) - 1))
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs(8)) > COLUMNS:
            lint.finding(path, number, "line of %d columns; break it before column 100"
                         % len(line.expandtabs(8)))
lint.finish()
