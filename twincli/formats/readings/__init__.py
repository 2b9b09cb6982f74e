"""Readings in the files of others: CSV, JSON Lines, Parquet, GPX, NMEA.

Each reader is a generator that takes an open binary file and yields, in the order of the file,
`Read` for what it understood and `Refused`, with the number of the line and the reason, for what it
did not. Memory is bounded by the longest line.
"""
