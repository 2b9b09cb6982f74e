"""Twins written in the formats of others: Thing Descriptions, shells, EPCIS events, linked data."""
