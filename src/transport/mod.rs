//! Room 2: a blocking stream of bytes over `ws://` or `wss://`. It knows nothing of MQTT.
