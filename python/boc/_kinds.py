"""Kinds of what workers and the C side send to the main interpreter; mirrored in ext/python/binding.h.

An item is (kind, a, b, behavior id, behavior name, origin, worker). origin is the
notebook cell that scheduled the behavior, 0 for none; worker is -1 for main. What a and b are:
"""

OUT = 1  # text for sys.stdout, ""
ERR = 2  # text for sys.stderr, ""
LOG = 3  # a log record as marshal bytes, ""
WARN = 4  # a warning as marshal bytes, ""
UNSEEN = 5  # an exception (or one packed by _raise), "lost" if it took a cown's own value
HINT = 6  # text, what makes it the same hint (place and name)
DISPLAY = 7  # what the sink understands, the same as plain text
NOTICE = 8  # a write of the noticeboard for notice_apply, its key
DONE = 9  # the token (8 bytes, little-endian) of a watched cown whose turn has come, ""
RAISED = 10  # the result of a body that raised, only told to a notebook; ""
