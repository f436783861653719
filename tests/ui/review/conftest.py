from tests.ui.bench import bench, kitchen, template, themed

__all__ = ["bench", "kitchen", "template", "themed"]
