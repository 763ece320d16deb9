"""The Django application: `views` is what there is to read, ``run.py`` starts it with all that it needs."""
