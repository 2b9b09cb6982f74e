"""Certificates of twins: issued, added, checked, verified and revoked."""
