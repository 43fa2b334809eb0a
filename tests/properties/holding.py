"""What must hold for all inputs, and how often it was tried.

`make test` takes the same few examples of each property every time. FASTCOURSE_EXAMPLES says how many times as many
are taken, in an order that `--hypothesis-seed` decides, and FASTCOURSE_COUNTS names a file for their counts.
"""
import os
from collections import Counter
from functools import wraps

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("FASTCOURSE_EXAMPLES", 0))
COUNTS = Counter()
CHARACTERS = st.characters(codec="utf-8")  # all planes, private and unassigned ones too; no half characters
WORDS = st.sampled_from(["don't", ":)", "x\u0301", " ", "  ", "\n", "\u00a0", "U.S.", "!", "no no no", "É", "ßa", "😀",
                         "▁", "xxmaj", "\U0001d400", "\U000e0041", "\U0010fffd", "İ", "ǅ", "&amp;", "/"])
TEXTS = st.lists(WORDS | st.text(CHARACTERS, max_size=6), max_size=8).map("".join)


def holds(*strategies, few=25, **named):
    "Decorator: the test is a property of all values of the strategies; `few` examples of it are tried by `make test`."
    def wrap(test):
        name = f"{test.__module__}.{test.__name__}"

        @settings(max_examples=max(1, TIMES) * few, deadline=None, derandomize=not TIMES, database=None,
                  suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate, Phase.shrink])
        @given(*strategies, **named)
        @wraps(test)
        def counted(*args, **kwargs):
            COUNTS[name] += 1
            test(*args, **kwargs)

        return counted
    return wrap
