"""Publishes over WebSocket with paho-mqtt: PORT TOPIC QOS (TEXT | -l | @FILE) [CAFILE]."""

import sys

import paho.mqtt.client as paho


def main() -> None:
    port, topic, qos, what = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, transport="websockets")
    if len(sys.argv) > 5:
        client.tls_set(ca_certs=sys.argv[5])
    client.connect("127.0.0.1", port)
    client.loop_start()
    if what == "-l":
        payloads = (line.rstrip(b"\n") for line in sys.stdin.buffer)
    elif what.startswith("@"):
        with open(what[1:], "rb") as file:
            payloads = [file.read()]
    else:
        payloads = [what]
    last = None
    for payload in payloads:
        last = client.publish(topic, payload, qos)
    if last is not None:
        last.wait_for_publish()
    client.disconnect()
    client.loop_stop()


main()
