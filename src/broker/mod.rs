//! Room 4: the local broker of `mqttws serve`. The router is pure; the listener does the I/O.
