// On Message: remembers the last message of every topic and lets through only what is news.
//
// In:  messages of recbms-zmq;
//      msg.control = 'announce'  Home Assistant has started: say everything again;
//                    'retry'     say again what was refused;
//                    'offline'   nothing is known any more: the service has ended or is silent;
//      msg.error                 what a catch node caught: this topic was not taken.
// Out: the message, and in it
//      first   true when the receiver has to be told what this is, before it is told the value;
//      online  false while the BMS is offline; payload is then null.

const known = context.get('known'); // topic → {message, online, said, refused}

function describe(message) {
    return JSON.stringify([message.name, message.unit, message.ha, message.device_name]);
}

function news(entry) {
    const { message, online, said } = entry;
    const description = describe(message);
    const first = said === undefined || said.description !== description;
    const same = !first && said.payload === message.payload && said.online === online;
    if (same || entry.refused) {
        return [];
    }
    entry.said = { description, payload: message.payload, online };
    return [{ ...message, first, online }];
}

function everything(change) {
    return Object.values(known).flatMap((entry) => {
        change(entry);
        return news(entry);
    });
}

function offline(entry) {
    const payload = entry.message.kind === 'availability' ? 'offline' : null;
    entry.online = false;
    entry.message = { ...entry.message, payload };
}

function hold() {
    const text = String(msg.error.message);
    if (known[msg.topic]) {
        known[msg.topic].refused = true;
        known[msg.topic].said = undefined;
    }
    // While Home Assistant is away every message fails alike: one line in the log is enough.
    if (context.get('warned') !== text) {
        context.set('warned', text);
        node.warn(`Not taken, will be sent again: ${text}`);
    }
    node.status({ fill: 'yellow', shape: 'ring', text: 'not taken, will be sent again' });
    return [];
}

function again(entry) {
    entry.refused = false;
    entry.said = undefined;
}

function control() {
    if (msg.control === 'offline') {
        return everything(offline);
    }
    if (msg.control === 'announce') {
        context.set('warned', '');
        return everything(again);
    }
    return everything((entry) => entry.refused && again(entry));
}

function isWanted() {
    if (msg.kind === 'availability') {
        return true;
    }
    if (msg.kind !== 'reading') {
        return false; // events, snapshots and descriptions are no entities
    }
    if (!msg.ha) {
        node.status({ fill: 'red', shape: 'ring', text: 'the service runs with --bare' });
        return false;
    }
    return msg.ha.enabled_by_default !== false || env.get('ALL_SENSORS') === true;
}

function hear() {
    if (!isWanted()) {
        return [];
    }
    const { _msgid, ...message } = msg;
    const entry = known[msg.topic] ??= {};
    entry.message = message;
    entry.online = !(message.kind === 'availability' && message.payload === 'offline');
    const gone = entry.online ? [] : Object.values(known).filter(
        (other) => other !== entry && other.message.device === message.device,
    );
    gone.forEach(offline);
    return [entry, ...gone].flatMap(news);
}

function showStatus() {
    const entries = Object.values(known);
    const sensors = entries.filter(({ message }) => message.kind === 'reading').length;
    const online = entries.some((entry) => entry.message.kind === 'reading' && entry.online);
    const text = `${sensors} sensors, ${online ? 'online' : 'offline'}`;
    // Every status goes to every open editor: only what changed is worth it.
    if (context.get('status') !== text) {
        context.set('status', text);
        node.status({ fill: online ? 'green' : 'red', shape: 'dot', text });
    }
}

// What a trigger node repeats may still carry the error that set it off: control comes first.
if (msg.error && !msg.control) {
    context.set('status', '');
    return [hold()];
}
const out = msg.control ? control() : hear();
if (!Object.values(known).some((entry) => entry.refused)) {
    showStatus();
}
return [out];
