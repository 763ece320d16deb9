"""The flow of ``websites`` behind a web page, once with Flask and once with Django.

``flask_app`` and ``django_app`` are to be read and copied; what both need besides is here.
"""
