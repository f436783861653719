"""One run of fine-tuning, from a snapshot to a model and a verdict; it runs in the worker.

It knows no project and no window; events are values, their words are made by whoever shows them. Read `run.py`, then
`plan.py` (the recipe), `fitting.py` (the loop) and `compare.py` (the rule).
"""
