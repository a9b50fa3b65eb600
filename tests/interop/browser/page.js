// A page that connects as its query says, publishes to NAME/out what it receives on NAME/in, with
// the same QoS and the same retain flag, and tells the test by HTTP what happens, a line at a time.
'use strict'

const asked = Object.fromEntries(new URLSearchParams(location.search))
const version = Number(asked.version)

let told = Promise.resolve()

/** Tells the test a line; they arrive in the order in which they were told. */
function tell (...words) {
  const post = { method: 'POST', mode: 'no-cors', body: words.join(' ') }
  told = told.then(() => fetch(`${asked.site}/tell/${asked.name}`, post))
}

addEventListener('error', event => tell('error', event.message))
addEventListener('unhandledrejection', event => tell('error', event.reason))

/** Tells what the browser agreed on, and how a connection ended; the libraries do not. */
window.WebSocket = class extends WebSocket {
  constructor (url, subprotocols) {
    super(url, subprotocols)
    this.addEventListener('open', () => tell('upgraded', this.protocol))
    this.addEventListener('close', event => tell('closed', event.code))
  }
}

function received (topic, qos, isRetained, payload, publish) {
  const hex = Array.from(payload, byte => byte.toString(16).padStart(2, '0')).join('')
  tell('received', topic, `q${qos}`, `r${Number(isRetained)}`, hex)
  publish(topic.replace('/in', '/out'), qos, isRetained, payload)
}

const libraries = {
  mqttjs () {
    const will = { topic: `${asked.name}/will`, payload: 'gone', qos: 1, retain: true }
    const client = mqtt.connect(asked.url, {
      protocolVersion: version,
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      clientId: asked.name,
      reconnectPeriod: Number(asked.again ?? 0),
      ...(asked.will && { will })
    })
    client.on('error', error => tell('failed', error.message))
    client.on('connect', () => client.subscribe(`${asked.name}/in`, { qos: 2 }, error =>
      tell(error ? `failed ${error.message}` : 'subscribed')))
    client.on('message', (topic, payload, packet) =>
      received(topic, packet.qos, packet.retain, payload, (topic, qos, retain, payload) =>
        client.publish(topic, payload, { qos, retain })))
  },

  paho () {
    const client = new Paho.Client(asked.url, asked.name)
    const will = new Paho.Message('gone')
    Object.assign(will, { destinationName: `${asked.name}/will`, qos: 1, retained: true })
    client.onMessageArrived = message =>
      received(message.destinationName, message.qos, message.retained, message.payloadBytes,
        (topic, qos, retain, payload) => client.send(topic, payload, qos, retain))
    const failed = answer => tell('failed', answer.errorMessage)
    client.connect({
      mqttVersion: version,
      mqttVersionExplicit: true,
      ...(asked.will && { willMessage: will }),
      onFailure: failed,
      onSuccess: () => client.subscribe(`${asked.name}/in`, {
        qos: 2,
        onFailure: failed,
        onSuccess: () => tell('subscribed')
      })
    })
  }
}

libraries[asked.library]()
