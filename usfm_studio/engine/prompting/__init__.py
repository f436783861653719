"""Smart prompts: a click, box or scribble and the mask so far give the next mask, of any organ.

`clicker.py` and `session.py` are the simulated person of the protocol, `holding.py` what a click promises: they know no
torch. `window.py` is what the network sees of a frame, `prompt_decoder.py` the network, `prompter.py` the one door
to it, `training.py` how it learns, `measuring.py` what `clicks` does in the worker. Read prompter.py first.
"""
