// Runs the scripts of one Node-RED function node, as Node-RED would, without Node-RED.
//
// stdin: {"start": script or "", "body": script, "env": {…}, "messages": [msg, …]}
// stdout: [{"sent": what the body returned, "warnings": […], "statuses": […]}, …], one per message

const context = new Map();
const input = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
let now;
const scope = {
    context: { get: (name) => context.get(name), set: (name, value) => context.set(name, value) },
    env: { get: (name) => input.env[name] },
    node: {
        warn: (text) => now.warnings.push(text),
        error: (text) => now.errors.push(text),
        status: (status) => now.statuses.push(status.text),
    },
};
const compile = (script) => new Function('msg', ...Object.keys(scope), script);
compile(input.start)(undefined, ...Object.values(scope));
const body = compile(input.body);
const results = input.messages.map((msg) => {
    now = { sent: null, warnings: [], errors: [], statuses: [] };
    // As Node-RED does between nodes: what one message says cannot change another.
    now.sent = structuredClone(body(structuredClone(msg), ...Object.values(scope))) ?? null;
    return now;
});
process.stdout.write(JSON.stringify(results));
