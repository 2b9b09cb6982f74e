"""What is asked on the terminal: passphrases, confirmations."""
