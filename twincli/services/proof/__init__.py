"""What somebody handed over, judged by its bytes: ledgers and bundles, against anchors."""
