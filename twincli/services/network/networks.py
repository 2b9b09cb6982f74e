"""Networks: their names, the way to reach them, the state of their nodes."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from twincli.client import COMMIT, copies, profiles
from twincli.client.network import NetworkClient
from twincli.client.nodes import Nodes, is_loopback
from twincli.client.tls import DEFAULT_TLS, Tls
from twincli.client.untrusted import stated_id
from twincli.errors import ConflictError, NotFoundError, TwinError, UsageError
from twincli.services.network import pushed
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twincli.client.profiles import Profile
    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import (
        Document,
        ListedNetwork,
        Network,
        NetworkItem,
        Networks,
        NodeInfo,
        NodeItem,
    )


def find(file: str, node: str) -> Profile:
    """Return the network that ``--node`` names: URLs separated by commas, or a profile.

    Args:
        file: Of the profiles.
        node: The value of ``--node``.

    Raises:
        UsageError: ``bad_url``.
        NotFoundError: ``no_such_node``, with a near name.
    """
    if node == "file:":
        raise UsageError("file: needs the path of a ledger", hint="--node file:PATH")
    if "://" in node:
        return profiles.of_urls(node.split(","))
    known = profiles.load(file)
    if node in known:
        return known[node]
    from twincli.model.names import near

    meant = near(node, known)
    if meant:
        hint = f"did you mean {meant}?"
    elif ":" in node:
        hint = f"a URL starts with its scheme: --node http://{node}"
    else:
        hint = "twin node list shows the known ones; twin node add NAME URL adds one"
    raise NotFoundError(f"there is no network {node!r}", code="no_such_node", hint=hint)


def client(
    profile: Profile,
    directory: str | None,
    timeout: float,
    mode: str = COMMIT,
    tls: Tls = DEFAULT_TLS,
) -> NetworkClient:
    """Return a client of a network, for a single run of a command.

    Args:
        profile: From ``find``.
        directory: Where copies of networks are kept; None: in memory.
        timeout: Seconds to wait for each node.
        mode: What a write waits for.
        tls: Certificates, where the profile has none.
    """
    nodes = _nodes(profile, timeout, tls)
    return NetworkClient(nodes, directory, profile.network, mode, single_run=True)


def _nodes(profile: Profile, timeout: float, tls: Tls) -> Nodes:
    headers = profiles.headers(profile.header_file) if profile.header_file is not None else {}
    return Nodes(profile.urls, headers, timeout, profile.tls.over(tls))


def plaintext_warnings(profile: Profile) -> list[str]:
    """Return a warning if the headers, which may hold a token, are sent unencrypted."""
    urls = [url for url in profile.urls if url.startswith("http:") and not is_loopback(url)]
    if profile.header_file is None or not urls:
        return []
    warning = (
        f"the headers in {profile.header_file} are sent unencrypted to {', '.join(urls)}: anybody"
        " on the way can read them; https:// keeps them secret"
    )
    return [warning]


def add(
    file: str,
    name: str,
    urls: Sequence[str],
    header_file: str | None = None,
    tls: Tls = DEFAULT_TLS,
    *,
    dry_run: bool = False,
) -> Network:
    """Give a network a name.

    Args:
        file: Of the profiles.
        name: Its name.
        urls: Of its nodes.
        header_file: Its headers are sent to every node; only the path is stored.
        tls: Certificates; only their paths are stored, too.
        dry_run: Check, store nothing.

    Returns:
        ``twin.network/1``: ``name urls header_file tls_ca tls_cert tls_key network created
        warnings``.

    Raises:
        ConflictError: ``exists``: another network has this name.
        ConfigError: The header file or a certificate cannot be used.
        UsageError: Certificates without an ``https`` URL.
    """
    profile = profiles.of_urls(urls)
    if tls != DEFAULT_TLS:
        if not any(url.startswith("https:") for url in profile.urls):
            raise UsageError("certificates need an https:// URL")
        tls.context()
        ca, cert, key = (path and os.path.abspath(path) for path in tls)
        profile = profile._replace(tls_ca=ca, tls_cert=cert, tls_key=key)
    if header_file is not None:
        profiles.headers(header_file)
        profile = profile._replace(header_file=os.path.abspath(header_file))
    known = profiles.load(file)
    held = known.get(profiles.check_name(name))
    if held is not None and held != profile:
        raise ConflictError(
            f"the name {name} is taken by {', '.join(held.urls)}",
            code="exists",
            hint=f"choose another name, or remove it first: twin node remove {name}",
        )
    if held is None and not dry_run:
        profiles.save(file, {**known, name: profile})
    warnings = plaintext_warnings(profile)
    return {**_document(name, profile), "created": held is None, "warnings": warnings}


def _document(name: str, profile: Profile) -> Network:
    return {"schema": "twin.network/1", **_item(name, profile)}  # type: ignore[typeddict-item]


def _item(name: str, profile: Profile) -> NetworkItem:
    return {
        "name": name,
        "urls": list(profile.urls),
        "header_file": profile.header_file,
        "tls_ca": profile.tls_ca,
        "tls_cert": profile.tls_cert,
        "tls_key": profile.tls_key,
        "network": profile.network,
    }


def listing(file: str, used: str) -> Networks:
    """Return the named networks.

    Returns:
        ``twin.networks/1`` with ``networks``: ``name urls header_file tls_ca tls_cert tls_key
        network used``.
    """
    found: list[ListedNetwork] = [
        {**_item(name, profile), "used": name == used}
        for name, profile in profiles.load(file).items()
    ]
    return {"schema": "twin.networks/1", "networks": found}


def remove(file: str, name: str, *, dry_run: bool = False) -> Network:
    """Remove a network's name; its copy on this machine and the names of its assets stay.

    Returns:
        ``twin.network/1`` of the removed one.
    """
    held = find(file, name) if "://" not in name else None
    if held is None:
        raise NotFoundError(
            f"there is no network {name!r}",
            code="no_such_node",
            hint="twin node list shows the known ones",
        )
    if not dry_run:
        known: Mapping[str, Profile] = profiles.load(file)
        profiles.save(file, {other: entry for other, entry in known.items() if other != name})
    return _document(name, held)


def info(profile: Profile, name: str, timeout: float, tls: Tls = DEFAULT_TLS) -> NodeInfo:
    """Return the state of a network's nodes.

    Returns:
        ``twin.node-info/1``: ``node network nodes warnings``; of each node ``url reachable software
        version ledger height latency_ms error hint``. Only nodes of twincli report
        ``ledger`` and ``height``; from others they are null.
    """
    nodes = _nodes(profile, timeout, tls)
    states: list[NodeItem] = []
    try:
        for url, said, seconds in nodes.one_by_one():
            failed = said if isinstance(said, TwinError) else None
            about = said if isinstance(said, dict) else {}
            twin = about.get("twin")
            states.append(
                {
                    "url": url,
                    "reachable": failed is None,
                    "software": _text(about.get("software")),
                    "version": _text(about.get("version")),
                    "ledger": stated_id(about),
                    "height": _whole(twin.get("height") if isinstance(twin, dict) else None),
                    "latency_ms": None if failed else round(seconds * 1000, 1),
                    "error": None if failed is None else failed.message,
                    "hint": None if failed is None else failed.hint,
                }
            )
    finally:
        nodes.close()
    return {
        "schema": "twin.node-info/1",
        "node": name,
        "network": profile.network,
        "nodes": states,
        "warnings": plaintext_warnings(profile),
    }


class Chosen(NamedTuple):
    """The network that ``--node`` or the settings name.

    Attributes:
        name: Its name or URLs.
        file: Of the profiles.
        directory: Where copies of networks are kept.
        timeout: Seconds to wait for each node.
        tls: Certificates, where its profile has none.
    """

    name: str
    file: str
    directory: str
    timeout: float
    tls: Tls = DEFAULT_TLS


def summary(chosen: Chosen, ledger: Ledger | None) -> Document:
    """Return the state of a network in short; faults are part of the answer.

    Args:
        chosen: The network.
        ledger: Of this home, which may be pushed there; None: it has none.

    Returns:
        ``name urls reachable software version ledger height error hint copies unpushed``; of the
        first node that answers. ``ledger`` is null where no node reports it, ``copies`` has
        ``path transactions`` (null if it is unusable) of each, ``unpushed`` is the number of this
        ledger's transactions that the network lacks, as far as is known here.
    """
    found: Document = dict.fromkeys(("software", "version", "ledger", "height", "error", "hint"))
    urls: list[str] = []
    places: list[str] = []
    other = None
    try:
        profile = find(chosen.file, chosen.name)
        urls = list(profile.urls)
        places = copies.of_network(chosen.directory, profile.network)
        nodes = info(profile, chosen.name, chosen.timeout, chosen.tls)["nodes"]
        node = next((node for node in nodes if node["reachable"]), nodes[0])
        found = {name: value for name, value in node.items() if name in found}
        other = (found["ledger"] or profile.network) if node["reachable"] else None
    except TwinError as error:
        found.update(error=error.message, hint=error.hint)
    return {
        "name": chosen.name,
        "urls": urls,
        "reachable": other is not None,
        **found,
        "copies": [{"path": place, "transactions": _count(place)} for place in places],
        "unpushed": None
        if ledger is None
        else pushed.unpushed_to(chosen.directory, ledger, chosen.name, other),
    }


def _count(place: str) -> int | None:
    """Return how many transactions a copy holds, None where it is unusable."""
    try:
        with closing(copies.opened(place, create=False)) as copy:
            return int(copy.counts()["transactions"])
    except TwinError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None
