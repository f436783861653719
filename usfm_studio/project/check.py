"""The health of a project, from outside: `problems`, `repair`, `compact`. Nothing here destroys anything."""

from usfm_studio.project.inspection import Problem, problems
from usfm_studio.project.repairing import compact, repair

__all__ = ["Problem", "compact", "problems", "repair"]
