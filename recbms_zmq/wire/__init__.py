"""What REC's module sends: structs, decoding, error numbers, task words, the serial number.

REC's own abbreviations stay in here.
"""
