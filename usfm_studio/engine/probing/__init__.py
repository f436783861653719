"""How good a frozen encoder is: its own labels and few-shot masks on folders whose subjects it never saw.

`results.py` and `approval.py` know no torch: what a probe says, and by which rule one encoder is taken for another.
Behind them `prober.py` does the work; it is called by the worker and, every few steps, by the pre-training. It knows
nothing of projects, files outside a snapshot, or how encoders are trained. Read prober.py first.
"""
