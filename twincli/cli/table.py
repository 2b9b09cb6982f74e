"""The tree of commands by name, so that a module loads only when its command is run.

Each help line is the first line of its module's own help; a test compares them.
"""

from __future__ import annotations

NOUNS: dict[str, tuple[str, str]] = {
    "keys": ("twincli.cli.commands.keys.keys", "Make, recover and keep keys."),
    "name": ("twincli.cli.commands.names.name", "Give names to assets, keys and identities."),
    "did": ("twincli.cli.commands.names.did", "Make and resolve identities."),
    "asset": (
        "twincli.cli.commands.asset.asset",
        "Create assets and digital twins, and change them.",
    ),
    "template": (
        "twincli.cli.commands.template.template",
        "Find, check and register templates of twins.",
    ),
    "grant": (
        "twincli.cli.commands.grant.grant",
        "Allow others to write about a twin or to read it, and take it back.",
    ),
    "event": (
        "twincli.cli.commands.life.event",
        "Record what happened to twins, and list it.",
    ),
    "state": (
        "twincli.cli.commands.life.state",
        "Show the state of a twin, and move it to another.",
    ),
    "stage": (
        "twincli.cli.commands.life.stage",
        "Record the stages that twins pass, and list them.",
    ),
    "maintenance": (
        "twincli.cli.commands.care.maintenance",
        "Record the maintenance of twins, and list what is due.",
    ),
    "file": (
        "twincli.cli.commands.file.file",
        "Attach files to twins, and fetch, check and pin them.",
    ),
    "stream": (
        "twincli.cli.commands.stream.stream",
        "Record the readings of twins, each under a signature.",
    ),
    "link": (
        "twincli.cli.commands.link.link",
        "Link assets: variants, components, successors, parts.",
    ),
    "cert": (
        "twincli.cli.commands.cert.cert",
        "Issue, add, check and revoke certificates of twins.",
    ),
    "content": (
        "twincli.cli.commands.privacy.content",
        "Erase what opens an encrypted stream or file.",
    ),
    "audit": (
        "twincli.cli.commands.audit.audit",
        "Show who was given what, and check that nothing was changed.",
    ),
    "batch": (
        "twincli.cli.commands.batch.batch",
        "Record many writes of many twins from one file.",
    ),
    "bundle": (
        "twincli.cli.commands.bundle.bundle",
        "Hand a twin on in one file that anybody can check.",
    ),
    "tx": ("twincli.cli.commands.tx", "Show, check and submit transactions."),
    "ledger": ("twincli.cli.commands.network.ledger", "Manage the embedded ledger."),
    "node": ("twincli.cli.commands.network.node", "Serve the ledger as a BigchainDB node."),
    "backup": (
        "twincli.cli.commands.home.backup",
        "Back up the whole home to one file, and restore it.",
    ),
    "agent": (
        "twincli.cli.commands.keys.agent",
        "Keep keys unlocked for a while, without prompts.",
    ),
    "config": ("twincli.cli.commands.home.config", "Show and change settings."),
}
"""Nouns: module and help."""

BARE: dict[str, tuple[str, str]] = {
    "history": (
        "twincli.cli.commands.asset.history",
        "Show all that the owners of a twin did with it, in the order of the ledger.",
    ),
    "search": ("twincli.cli.commands.asset.search", "Search the ledger for words."),
    "query": (
        "twincli.cli.commands.query.query",
        "Ask the streams of a twin: rows, averages of time, or SQL.",
    ),
    "plot": (
        "twincli.cli.commands.query.plot",
        "Draw the streams of a twin as lines and tracks.",
    ),
    "watch": (
        "twincli.cli.commands.query.watch",
        "Watch what happens to a twin: readings, records and appends, as they are committed.",
    ),
    "push": (
        "twincli.cli.commands.network.push",
        "Send assets of this ledger to a network, with their signatures.",
    ),
    "pull": (
        "twincli.cli.commands.network.pull",
        "Fetch assets from a network to this ledger, verifying all of it.",
    ),
    "verify": (
        "twincli.cli.commands.proof.verify",
        "Verify a twin, a bundle or a ledger: every byte, and against what you know.",
    ),
    "status": (
        "twincli.cli.commands.home.status",
        "Show the home, the ledger, the default key and the agent.",
    ),
    "doctor": ("twincli.cli.commands.home.doctor", "Check the installation and show what to do."),
    "demo": (
        "twincli.cli.commands.home.demo",
        "Tell the story of a car and its owner, in a temporary home.",
    ),
    "completion": (
        "twincli.cli.commands.home.completion",
        "Print the completion script of a shell.",
    ),
    "help": ("twincli.cli.commands.home.help", "Explain a topic or a command."),
}
"""Verbs that stand alone: module and help."""

ABOUT = "git for physical things: identities and digital twins as signed transactions."
"""What ``twin`` is, above the list of its commands."""

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Twins",
        (
            "asset",
            "template",
            "stream",
            "query",
            "plot",
            "watch",
            "event",
            "state",
            "stage",
            "maintenance",
            "file",
            "cert",
            "link",
            "grant",
            "content",
            "audit",
            "batch",
            "bundle",
            "history",
            "search",
        ),
    ),
    ("Keys and identities", ("keys", "agent", "did", "name")),
    ("Proof", ("verify",)),
    ("Ledger and networks", ("tx", "ledger", "push", "pull", "node")),
    ("This installation", ("status", "doctor", "backup", "config", "completion", "demo", "help")),
)
"""All nouns and bare verbs in the order of the first page of help."""

NOUN_ALIASES = {
    "key": "keys",
    "names": "name",
    "dids": "did",
    "assets": "asset",
    "vault": "asset",
    "vaults": "asset",
    "txs": "tx",
    "transaction": "tx",
    "transactions": "tx",
    "templates": "template",
    "grants": "grant",
    "links": "link",
    "files": "file",
    "events": "event",
    "states": "state",
    "stages": "stage",
    "certificate": "cert",
    "certificates": "cert",
    "certs": "cert",
    "streams": "stream",
    "audits": "audit",
    "batches": "batch",
    "bundles": "bundle",
    "model": "template",
    "ledgers": "ledger",
    "nodes": "node",
    "backups": "backup",
    "agents": "agent",
}
"""Other words for nouns; they work and no help shows them."""

VERB_ALIASES = {"rm": "remove", "ls": "list", "add": "create", "create": "add"}
"""Other words for verbs, where the noun has the other word and not this one."""

SYNONYMS = {
    "create": ("new", "set"),
    "add": ("new", "set", "create"),
    "make": ("new", "create"),
    "generate": ("new",),
    "new": ("create", "add"),
    "init": ("begin", "new"),
    "delete": ("remove", "burn", "unset", "revoke"),
    "del": ("remove", "burn", "unset"),
    "remove": ("burn", "unset", "revoke"),
    "rm": ("remove", "burn", "unset"),
    "destroy": ("burn", "remove"),
    "update": ("append", "set"),
    "edit": ("append", "set"),
    "set": ("append",),
    "write": ("append",),
    "send": ("transfer", "submit"),
    "give": ("transfer",),
    "sell": ("transfer",),
    "get": ("show", "list"),
    "view": ("show", "list"),
    "show": ("list", "info"),
    "list": ("show",),
    "ls": ("list", "show"),
    "status": ("info", "list"),
    "run": ("start",),
    "serve": ("start",),
    "unlock": ("start",),
    "check": ("validate", "verify"),
    "verify": ("validate",),
    "load": ("restore", "import"),
}
"""What a wrong verb of a noun may have meant, only for the hint of the error: the first that the
noun has."""

MEANT = {
    "show": ("asset show", "history"),
    "list": ("asset list", "keys list"),
    "init": ("keys new", "asset create"),
    "create": ("asset create",),
    "new": ("keys new", "asset create", "did new"),
    "add": ("asset append", "asset create"),
    "append": ("asset append",),
    "update": ("asset append",),
    "commit": ("asset append",),
    "transfer": ("asset transfer",),
    "send": ("asset transfer",),
    "burn": ("asset burn",),
    "delete": ("asset burn", "keys remove"),
    "remove": ("keys remove", "name remove", "asset burn"),
    "rename": ("keys rename", "name set"),
    "outputs": ("asset outputs",),
    "balance": ("asset balance",),
    "tree": ("asset tree",),
    "sign": ("tx sign", "keys sign"),
    "combine": ("tx combine",),
    "submit": ("tx submit",),
    "validate": ("tx validate",),
    "import": ("keys import", "name import", "ledger import"),
    "export": ("keys export", "name export"),
    "recover": ("keys recover",),
    "rotate": ("keys rotate",),
    "passwd": ("keys passwd",),
    "derive": ("keys derive",),
    "resolve": ("did resolve",),
    "identity": ("did",),
    "start": ("node start", "agent start"),
    "serve": ("node start",),
    "stop": ("agent stop",),
    "lock": ("agent lock",),
    "unlock": ("agent start",),
    "info": ("ledger info", "node info"),
    "reindex": ("ledger reindex",),
    "upgrade": ("ledger upgrade",),
    "remote": ("node add",),
    "clone": ("pull",),
    "fetch": ("pull",),
    "restore": ("backup restore",),
    "log": ("history", "audit log"),
    "diff": ("asset diff", "template diff"),
    "blame": ("asset blame",),
    "migrate": ("asset migrate",),
    "find": ("asset find", "search"),
    "set": ("config set", "name set"),
    "get": ("config get", "asset show"),
    "version": ("--version",),
    "settings": ("config",),
    "check": ("doctor", "tx validate"),
}
"""What was most likely meant by a verb without its noun, or by another program's word."""

CHANGING = frozenset(
    (
        "asset create",
        "asset append",
        "asset transfer",
        "asset burn",
        "asset freeze",
        "asset unfreeze",
        "asset migrate",
        "did new",
        "tx submit",
        "push",
        "pull",
        "ledger import",
        "ledger reindex",
        "ledger upgrade",
        "backup create",
        "backup restore",
        "node add",
        "node use",
        "node remove",
        "config set",
        "config unset",
        "name set",
        "name remove",
        "name import",
        "agent start",
        "agent lock",
        "agent stop",
        "keys new",
        "keys recover",
        "keys import",
        "keys rename",
        "keys remove",
        "keys passwd",
        "keys derive",
        "keys rotate",
        "template register",
        "link add",
        "link remove",
        "grant add",
        "grant revoke",
        "file attach",
        "event add",
        "state move",
        "stage add",
        "maintenance add",
        "cert issue",
        "cert add",
        "cert revoke",
        "batch apply",
        "bundle export",
        "stream create",
        "stream push",
        "stream import",
        "stream follow",
        "stream export",
    )
)
"""Commands that change something: with --quiet they print nothing when they succeed."""

READING = frozenset(
    (
        *("asset show", "asset list", "asset find", "asset tree", "asset diff", "asset blame"),
        *("history", "search", "query", "plot", "watch", "tx show"),
        *("event list", "state show", "stage list", "maintenance list", "maintenance due"),
        *("stream list", "stream show", "file list", "file get", "cert list", "cert show"),
        *("link list", "link graph", "grant list", "grant show"),
    )
)
"""Commands that show what twins hold: the audit log notes them if the settings ask for it."""

SAVING = frozenset(("bundle passport", "cert export", "file get", "keys export", "query"))
"""Commands that write what they find to a file with -o: with --quiet they then print nothing."""

NEXT = """
Next:
  twin demo                               a car, its owner and its GPS box, in half a minute
  twin keys new alice                     a key of your own
  twin asset create car --owner alice     the first digital twin
"""
"""What bare ``twin`` says after its help."""


def near(word: str, known: list[str]) -> str | None:
    """Return the known word that a wrong one most likely meant."""
    meant = next((verb for verb in SYNONYMS.get(word.lower(), ()) if verb in known), None)
    if meant:
        return meant
    from twincli.model import names

    return names.near(word, known)
