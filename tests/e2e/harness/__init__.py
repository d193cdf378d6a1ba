"""What the end-to-end tests stand on: the daemon, upstreams that do as they are told, and raw clients."""
