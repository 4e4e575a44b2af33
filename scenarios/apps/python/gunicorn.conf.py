# gunicorn reads this file from the folder it is started in; options on its command line win.

# Its control socket is one per user, in the home folder: two servers at once would quarrel over it.
control_socket_disable = True
