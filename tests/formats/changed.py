"""Documents with a change somewhere in them."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.builds(list)
    | st.builds(dict)
)


def changed(data: st.DataObject, document: Any, values: st.SearchStrategy[Any]) -> Any:
    """Return a copy of a document in which something has another value, or is left out."""
    document = copy.deepcopy(document)
    place = document
    while True:
        step = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        inner = place[step]
        if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
            place = inner
        elif data.draw(st.booleans()):
            place[step] = data.draw(values)
            return document
        else:
            del place[step]
            return document
