// A stand-in for the node `zeromq in` of node-red-contrib-zeromq, made for recbms-zmq's tests.
//
// It is not that node, and shares no code with it: the package is not on the registry the tests
// use. It takes the same properties, refuses others, and gives two frames as two fields of text.

module.exports = (RED) => {
    RED.nodes.registerType('zeromq in', function ZeromqIn(config) {
        RED.nodes.createNode(this, config);
        const { server, topic, fields, output, intype, isserver } = config;
        if (fields !== 'topic,payload' || output !== 'string' || intype !== 'sub' || isserver) {
            throw new Error(`not what the zeromq node is used for: ${JSON.stringify(config)}`);
        }
        const { Subscriber } = require('zeromq');
        const socket = new Subscriber();
        socket.connect(server);
        socket.subscribe(topic);
        this.on('close', () => socket.close());
        (async () => {
            for await (const [name, body] of socket) {
                this.send({ topic: name.toString(), payload: body.toString() });
            }
        })();
    });
};
