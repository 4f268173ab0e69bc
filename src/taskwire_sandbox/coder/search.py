"""The search query of lists (`q`): its grammar, and the errors for queries that break the grammar."""

from collections.abc import Callable, Collection

from taskwire_sandbox.coder.wire import quoted

Problems = list[tuple[str, str]]
Terms = dict[str, list[str]]


def parse(query: str, bare: str) -> tuple[Terms, Problems]:
    """Split a query into terms. Return the terms, or the problems of the query and no terms.

    A word without a key gets the key `bare`.
    """
    terms: Terms = {}
    problems: Problems = []
    for element in _split(query.lower(), " ", keeps_quotes=True):
        if element.startswith(":") or element.endswith(":"):
            problems.append(("q", f"Query element {quoted(element)} cannot start or end with ':'"))
            continue
        parts = _split(element, ":", keeps_quotes=False)
        if len(parts) > 2:
            problems.append(("q", f"Query element {quoted(element)} can only contain 1 ':'"))
            continue
        key, value = (bare, parts[0]) if len(parts) == 1 else (parts[0], parts[1])
        terms.setdefault(key, []).append(value)
    return ({}, problems) if problems else (terms, [])


def single(terms: Terms, key: str, problems: Problems) -> str:
    """Return the first value of a key; empty if there is none.

    If the key has several values, add a problem to `problems`.
    """
    values = terms.get(key, [])
    if len(values) > 1:
        text = (
            f"Query param {quoted(key)} provided more than once, found {len(values)} times. "
            "Only provide 1 instance of this query param."
        )
        problems.append((key, text))
    return values[0] if values else ""


def boolean(terms: Terms, key: str, problems: Problems) -> bool | None:
    """Return a key's boolean as Go parses it; None if the key is absent or its value is wrong."""
    text = single(terms, key, problems)
    if text in ("1", "t", "true"):
        return True
    if text in ("0", "f", "false"):
        return False
    if text:
        reason = f'strconv.ParseBool: parsing "{text}": invalid syntax'
        problems.append((key, f'Query param "{key}" must be a valid boolean: {reason}'))
    return None


def excess(terms: Terms, known: Collection[str], record_violation: Callable[[str], None]) -> Problems:
    """Return a problem for every query key that is not in `known`.

    Also pass each such key to `record_violation`.
    """
    unknown = [key for key in terms if key not in known]
    for key in unknown:
        record_violation(f"the query key {key!r} is not known to this list")
    return [(key, f"{quoted(key)} is not a valid query param") for key in unknown]


def _split(text: str, delimiter: str, *, keeps_quotes: bool) -> list[str]:
    parts, current, is_quoted = [], "", False
    for character in text:
        if character == '"':
            is_quoted = not is_quoted
            current += character if keeps_quotes else ""
        elif character == delimiter and not is_quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    parts.append(current)
    return [part for part in parts if part]
