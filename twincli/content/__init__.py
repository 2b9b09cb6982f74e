"""Files by their CID; chunks of readings are files, too."""
