// On Message. In: msg.payload, one parsed line of recbms-zmq. Out: that line as the message itself,
// so that msg.topic and msg.payload (and msg.kind, msg.key, msg.unit …) mean the same as everywhere in Node-RED.

const message = msg.payload;
const isMessage = message !== null && typeof message === 'object'
    && ['topic', 'kind', 'device', 'device_name', 'key'].every((word) => typeof message[word] === 'string')
    && message.payload !== undefined;

if (!isMessage) {
    node.error('not a message of recbms-zmq', msg);
    return null;
}
return message;
