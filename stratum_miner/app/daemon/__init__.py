"""What runs as long as a process that mines, pools or proxies: its services, its status, and who may control it."""
