// Runs the scripts of one Node-RED function node, as Node-RED would, without Node-RED.
//
// A line of stdin:  {"start": script or "", "body": script, "env": {…}, "messages": [msg, …]}
// A line of stdout: [{"sent": what the body returned, "later": what it sent by node.send,
//                     "warnings": […], "errors": […], "statuses": […], "walks": number}, …], one per
//                   message; walks: how often it went through all of an object of its context;
//                   or a text: the exception. Each line of stdin is a new node.
//
// What the scripts keep in their context can be written into a file, as a context store of Node-RED
// does; else the answer is an exception.
//
// A message {"wait": ms} is not given to the script: so much time passes, and timers that are due run.
// Time stands still otherwise.

function run(input) {
    const context = new Map();
const flow = new Map();
    let now;
    let clock = 0;
    let timers = [];
    const time = {
        setTimeout: (action, ms = 0) => {
            const timer = { action, due: clock + ms };
            timer.itself = timer; // as in Node.js: it cannot be written into a file
            timers.push(timer);
            return timer;
        },
        clearTimeout: (timer) => {
            timers = timers.filter((each) => each !== timer);
        },
        Date: class extends Date {
            constructor(...given) {
                super(...(given.length ? given : [clock]));
            }

            static now() {
                return clock;
            }
        },
    };

    /** Return the same object, with each `Object.values` of it counted. */
    function counted(value) {
        const ownKeys = (object) => {
            now.walks += 1;
            return Reflect.ownKeys(object);
        };
        return value?.constructor === Object ? new Proxy(value, { ownKeys }) : value;
    }

    const scope = {
        ...time,
        context: { get: (name) => counted(context.get(name)), set: (name, value) => context.set(name, value) },
        flow: { get: (name) => flow.get(name), set: (name, value) => flow.set(name, value) },
    env: { get: (name) => input.env[name] },
        node: {
            warn: (text) => now.warnings.push(text),
            error: (text) => now.errors.push(text),
            status: (status) => now.statuses.push(status.text),
            send: (messages) => now.later.push(structuredClone(messages)),
        },
    };

    function wait(ms) {
        const end = clock + ms;
        for (;;) {
            const [next] = timers.filter((each) => each.due <= end).sort((a, b) => a.due - b.due);
            if (!next) {
                break;
            }
            time.clearTimeout(next);
            clock = Math.max(clock, next.due);
            next.action();
        }
        clock = end;
    }

    const compile = (script) => new Function('msg', ...Object.keys(scope), script);
    compile(input.start)(undefined, ...Object.values(scope));
    const body = compile(input.body);
    return input.messages.map((msg) => {
        context.forEach((value) => JSON.stringify(value));
        now = { sent: null, later: [], warnings: [], errors: [], statuses: [], walks: 0 };
        if (msg.wait !== undefined) {
            wait(msg.wait);
            return now;
        }
        // As Node-RED does between nodes: what one message says cannot change another.
        now.sent = structuredClone(body(structuredClone(msg), ...Object.values(scope))) ?? null;
        return now;
    });
}

require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    let answer;
    try {
        answer = run(JSON.parse(line));
    } catch (error) {
        answer = String(error.stack);
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
});
