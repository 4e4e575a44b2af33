# gunicorn reads this file from the folder it is started in; options on its command line win.

import os

import database

worker_class = os.environ.get("WORKER_CLASS", "sync")
if worker_class == "gthread":
    threads = database.CONNECTIONS  # a thread more would wait for a connection
# Its control socket is one per user, in the home folder: two servers at once would quarrel over it.
control_socket_disable = True
