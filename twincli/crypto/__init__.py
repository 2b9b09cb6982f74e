"""Pure bytes: encodings, hashes, keys, signatures and conditions. No I/O, no clock."""
