"""The folder of a project, and its only writer. Read `project.py` first, then `journal.py` and `store.py`.

A change goes `Project.apply` -> `State` (memory, at once) -> `Journal` (a thread; one transaction a stroke) -> `Store`
(SQLite). `check.py` and `migrate.py` are the doors for a project that is closed. It knows no pixels' format, no torch,
no Qt, and starts no process.
"""
