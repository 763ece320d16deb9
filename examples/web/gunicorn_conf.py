"""How gunicorn serves either application: ``gunicorn --config python:web.gunicorn_conf …``."""

# A page that blocks and a page that streams hold a thread each for as long as it takes, so that threads are what limits
# how many can be looked at; a thread that waits costs next to nothing. Of the database, each process takes the client's
# pool at most, and one connection that listens for all its threads.
worker_class = "gthread"
workers = 2
threads = 64

# The client connects at first use, in each process for itself: the application may be loaded before the fork.
preload_app = True

# Streams have no end while their run has none. Their browsers connect again, here or elsewhere.
graceful_timeout = 2

# Only this machine: whoever reaches the form has this machine fetch whatever they like.
bind = "127.0.0.1:8000"
