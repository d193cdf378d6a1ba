"""Every C file of src and tests and every page of doc stands in Makefile.am, so that a release carries it and
`make check` runs it."""
import lint

makefile = set(lint.read("Makefile.am").replace("\\\n", " ").split())
for path in lint.files("src", ".c", ".h") + lint.files("tests", ".c", ".h"):
    if path not in makefile:
        lint.finding(path, 1, "not in Makefile.am; add it to the section of its floor")
for path in lint.files("doc", ".md"):
    if path not in makefile:
        lint.finding(path, 1, "not in Makefile.am; add it to dist_doc_DATA")
lint.finish()
