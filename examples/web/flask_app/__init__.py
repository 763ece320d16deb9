"""The Flask application: `app` is what there is to read, ``run.py`` starts it with all that it needs."""
