"""The only layer with sockets, threads and clocks: it carries out what the machines below decide."""
