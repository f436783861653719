"""The doors of the writers and of the readers of annotations, and which formats there are.

The functions are named as text, so that nothing here imports a codec; the reader process imports them when asked.
"""

from __future__ import annotations

WRITE = "usfm_studio.imaging.writing.export:write"
READ = "usfm_studio.imaging.annotations.read:read"
PREDICTIONS = "usfm_studio.imaging.writing.predictions:write_predictions"
LABELS = "usfm_studio.imaging.writing.predictions:write_labels"

EXPORT_TITLES = {
    "png": "PNG label maps",
    "nifti": "NIfTI volumes",
    "nrrd": "NRRD volumes",
    "coco": "COCO JSON",
    "csv": "Tables of labels",
    "data": "DATA folder",
    "seg": "DICOM segmentation",
}
"""What `export` writes, with its name for people; what can be read back is in `ANNOTATIONS`."""
ANNOTATIONS = ("png", "data", "csv", "coco", "nifti", "nrrd")
