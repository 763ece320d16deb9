"""What ``analyze_websites.py`` is made of; `websites.flow` is the place to begin."""
