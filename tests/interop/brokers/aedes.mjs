// Aedes behind `ws`, as its documentation sets it up: node aedes.mjs PORT USER PASSWORD.

import { createServer } from 'node:http'
import { Aedes } from 'aedes'
import { WebSocketServer, createWebSocketStream } from 'ws'

const [port, user, password] = process.argv.slice(2)

// CONNACK 4: bad user name or password.
const refusal = Object.assign(new Error('bad user name or password'), { returnCode: 4 })

const broker = await Aedes.createBroker({
  authenticate (_client, name, secret, done) {
    const isRight = name === user && String(secret) === password
    done(isRight ? null : refusal, isRight)
  }
})

const server = createServer()
const sockets = new WebSocketServer({ noServer: true })

server.on('upgrade', (request, socket, head) => {
  if (request.url !== '/mqtt') {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    return
  }
  sockets.handleUpgrade(request, socket, head, webSocket => {
    broker.handle(createWebSocketStream(webSocket), request)
  })
})

server.listen(Number(port), '127.0.0.1', () => console.log('ready'))
