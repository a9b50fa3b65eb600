"""Writes messages to stdout, each with a line feed, with paho-mqtt: PORT TOPIC QOS COUNT [CAFILE]."""

import sys

import paho.mqtt.client as paho


def main() -> None:
    port, topic, qos, left = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, transport="websockets")
    if len(sys.argv) > 5:
        client.tls_set(ca_certs=sys.argv[5])
    write = sys.stdout.buffer.write

    def on_connect(client, *_):
        client.subscribe(topic, qos)

    def on_message(client, _, message):
        nonlocal left
        write(message.payload)
        write(b"\n")
        left -= 1
        if left == 0:
            client.disconnect()

    client.on_connect, client.on_message = on_connect, on_message
    client.connect("127.0.0.1", port)
    client.loop_forever()
    sys.stdout.flush()


main()
