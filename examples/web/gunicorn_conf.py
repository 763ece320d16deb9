"""How gunicorn serves either application: ``gunicorn --config python:web.gunicorn_conf …``."""

# A page that blocks and a page that streams hold a thread each for as long as it takes, so that threads are what limits
# how many can be looked at; a thread that waits costs next to nothing. Of the database, each process takes the client's
# pool at most, and one connection that listens for all its threads.
worker_class = "gthread"
workers = 2
threads = 64

# A process takes no more connections than it has threads for: in one that did, a request could wait behind streams for
# ever, while another process is idle. Connections are not kept for further requests then, which is a proxy's business.
worker_connections = threads
keepalive = 0

# The client connects at first use, in each process for itself: the application may be loaded before the fork.
preload_app = True

# Streams have no end while their run has none. Their browsers connect again, here or elsewhere.
graceful_timeout = 1

# Only this machine: whoever reaches the form has this machine fetch whatever they like.
bind = "127.0.0.1:8000"

# Its place in the user's home is one for all servers.
control_socket_disable = True
