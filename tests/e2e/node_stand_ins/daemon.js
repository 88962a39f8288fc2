// A stand-in for the node `daemon` of node-red-node-daemon, made for recbms-zmq's tests.
//
// It is not that node, and shares no code with it: the package is not on the registry the tests
// use. It takes the same properties, refuses others, and does what that node is documented to do.

const { spawn } = require('node:child_process');

const PROPERTIES = ['command', 'args', 'autorun', 'cr', 'redo', 'op', 'closer'];
const RESTART_MS = 2000; // the real node looks every 10 s

module.exports = (RED) => {
    RED.nodes.registerType('daemon', function Daemon(config) {
        RED.nodes.createNode(this, config);
        const lacking = PROPERTIES.filter((name) => config[name] === undefined);
        if (lacking.length || config.op !== 'lines' || config.closer !== 'SIGTERM') {
            throw new Error(`not what the daemon node takes: ${JSON.stringify(config)}`);
        }
        let child;
        const start = () => {
            let rest = '';
            child = spawn(config.command, JSON.parse(config.args));
            child.on('error', () => {});
            child.stdout.on('data', (data) => {
                const lines = (rest + data).split('\n');
                rest = lines.pop();
                lines.forEach((payload) => this.send([{ payload }, null, null]));
            });
            child.stderr.on('data', (payload) => this.send([null, { payload }, null]));
            child.on('close', (code, signal) => {
                child = undefined;
                this.send([null, null, { payload: code ?? signal }]);
            });
        };
        start();
        const loop = setInterval(() => config.redo && !child && start(), RESTART_MS);
        this.on('close', (done) => {
            clearInterval(loop);
            if (!child) {
                return done();
            }
            child.on('exit', () => done());
            return child.kill(config.closer);
        });
    });
};
