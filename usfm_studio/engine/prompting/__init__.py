"""Smart prompts: a click, box or scribble and the mask so far give the next mask, of any organ.

`clicker.py` is the simulated person of the protocol, `window.py` what the network sees of a frame, `holding.py` what a
click promises: none of them knows torch. `prompt_decoder.py` is the network, `prompter.py` the one door to it,
`training.py` how it learns, `measuring.py` what `clicks` does in the worker. Read prompter.py first.
"""
