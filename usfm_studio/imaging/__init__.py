"""Files in and out: DICOM and pictures as frames, annotations from elsewhere, exports.

`client.py` is the door, free of codecs; behind it, in the reader process alone, are `reading/`, `annotations/` and
`writing/`. It knows no project, no torch and no Qt. Read `description.py` first, then `client.py`.
"""
