"""The service's rules as pure state machines. Time is an argument; nothing here does I/O."""
