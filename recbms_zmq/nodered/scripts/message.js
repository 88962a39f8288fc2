// On Message. In: msg.payload, one parsed line of recbms-zmq. Out: that line as the message itself,
// so that msg.topic and msg.payload (and msg.kind, msg.key, msg.unit …) mean the same as everywhere in Node-RED.

const message = msg.payload;
const isMessage = message !== null && typeof message === 'object'
    && typeof message.topic === 'string' && typeof message.kind === 'string'
    && message.payload !== undefined;

if (!isMessage) {
    node.error('not a message of recbms-zmq', msg);
    return null;
}
return message;
