"""The window: canvas, tools and panels over one Session. It never imports torch nor a codec.

Read `session.py` first: panels see nothing else. `app.py` opens the window.
"""
