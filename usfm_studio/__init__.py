"""USFM Studio: propose, correct and learn ultrasound annotations on one's own machine.

Read ARCHITECTURE.md first; data flows file, frame, embedding, proposal, correction, sample, model, proposal.
"""

__version__ = "0.1.0"
