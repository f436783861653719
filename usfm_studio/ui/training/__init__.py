"""Learning, seen: curves, the page of a run, its verdict, and the models of the project.

Everything shown is the session's; curves are painted here, since a plotting library would cost half a second at start.
Read `learn_page.py` first.
"""
