"""How the certificates of a twin stand, in short: for showing the twin.

Light on purpose: most twins have none, and then nothing of certificates is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import ConfigError
from twincli.model import record

if TYPE_CHECKING:
    from twincli.services.documents import CertificateStanding
    from twincli.services.workspace import Workspace

MOST = 200
"""How much others may have said about a twin for this to be looked up: anybody may say anything."""


def standings(workspace: Workspace, asset_id: str) -> list[CertificateStanding] | None:
    """Return the certificates of a twin and how each stands now; empty: it has none.

    None: others said more about it than is read for this, or the packages that check certificates
    are not installed, which nobody needs to see a twin.
    """
    client = workspace.client
    about = client.assets_with("about", asset_id)
    if len(about) > MOST:
        return None
    if not about and next(iter(client.records(asset_id, (record.CERTIFICATE,))), None) is None:
        return []
    from twincli.services import resolve
    from twincli.services.cert import certificates

    names, trusted = resolve.Names(workspace), certificates.trusted_issuers(workspace, asset_id)
    try:
        rows = [
            certificates.item(names, one, workspace.now(), trusted=trusted)
            for one in certificates.certificates(workspace, asset_id)
        ]
    except ConfigError as error:
        if error.code != "missing_extra":
            raise
        return None
    return [
        {
            "label": row["label"],
            "form": row["form"],
            "status": row["status"],
            "trusted": row["trusted"],
            "valid_until": row["valid_until"],
            "transaction_id": row["transaction_id"],
        }
        for row in rows
    ]
