"""Which image: filmstrip, loop timeline, worklist drawer and the page of files coming in.

It reads the session's rows and asks it to go places; it decides nothing about a frame. Read `filmstrip.py` first.
"""
