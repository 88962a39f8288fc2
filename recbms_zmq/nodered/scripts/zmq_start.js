// On Start: subscribes, and hands every message on as text.

const socket = new zmq.Subscriber({
    // A computer that lost its power closes no connection: without heartbeats it seems connected.
    heartbeatInterval: 10000,
    heartbeatTimeout: 30000,
    maxMessageSize: 1024 * 1024,
});
// Several services may be named, with spaces between them.
for (const address of env.get('ZMQ_ADDRESS').split(/[\s,]+/).filter(Boolean)) {
    socket.connect(address);
}
socket.subscribe(env.get('ZMQ_TOPIC'));
context.set('socket', socket);
node.status({ fill: 'green', shape: 'dot', text: 'subscribed' });

// Not awaited: On Start has to end before messages flow. The loop ends when On Stop closes the socket.
(async () => {
    for await (const [topic, body] of socket) {
        node.send({ topic: topic.toString(), payload: body.toString() });
    }
})().catch((error) => node.error(error.message));
