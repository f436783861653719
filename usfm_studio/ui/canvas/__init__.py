"""The image and what is drawn over it. Knows masks, tools and Qt; knows no project, file or child process.

Read `coordinates.py` first, then `view.py`. What is slow to make (the scaled picture, outlines, rims) is kept as
images of the view's own size, and only what changed of them is made again: the cost of a stroke is bounded by what
it covers on the screen, whatever the size of the frame.
"""
