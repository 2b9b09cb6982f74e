"""What a ledger proves to others: checkpoints, proofs, and witnesses.

The last may import those below: it knows ledgers, but neither services nor nodes.
"""
