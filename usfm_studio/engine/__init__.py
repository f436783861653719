"""Embeddings, proposals and models. `doors.py` and `client.py` are for everybody and know no torch.

Behind them, in processes of their own: `host.py` (proposals) and `worker.py` (learning), over `models/` and
`learning/`. Read doors.py, then host.py, then models/predictor.py.
"""
