//! Real sockets on loopback: deadlines, cut bodies, floods, caps and shutdown.
