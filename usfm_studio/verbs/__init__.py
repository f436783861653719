"""What the program can do: one file a verb, driven alike by the window, the command line and the tests.

The only place where imaging, project, engine and measuring meet. A verb never prints, asks, sleeps or starts a
thread: it yields what to show and what to wait for. Read `steps.py`, then `house.py`, then any verb.
"""
