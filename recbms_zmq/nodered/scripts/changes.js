// On Message: remembers the last message of every topic and lets through only what is news.
//
// In:  messages of recbms-zmq;
//      msg.control = 'announce'  Home Assistant has started: say everything again;
//                    'retry'     say again what was refused;
//                    'confirm'   say again what was announced a moment ago;
//                    'offline'   nothing is known any more: the service has ended or is silent;
//      msg.error                 what a catch node caught: this topic was not taken.
// Out: 1. the message, and in it
//         first   true when the receiver has to be told what this is, before it is told the value;
//         online  false while the BMS is offline; payload is then null;
//         confirm true when the receiver has been told before, but may not have listened.
//      2. something, when there is something to confirm. Home Assistant makes an entity a moment
//         after it was announced, and a value that comes in between is lost on it.

const known = context.get('known'); // topic → {message, online, said, refused, unconfirmed}

function describe(message) {
    return JSON.stringify([message.name, message.unit, message.ha, message.device_name]);
}

function news(entry) {
    const { message, online, said } = entry;
    const description = describe(message);
    const first = said?.description !== description;
    const same = !first && said.payload === message.payload && said.online === online;
    if (same || entry.refused) {
        return [];
    }
    entry.said = { description, payload: message.payload, online };
    entry.unconfirmed ||= first;
    return [{ ...message, first, online }];
}

function hear() {
    const { _msgid, ...message } = msg;
    const entry = known[msg.topic] ??= {};
    entry.message = message;
    entry.online = !(message.kind === 'availability' && message.payload === 'offline');
    const others = Object.values(known).filter(
        (other) => other !== entry && other.message.device === message.device,
    );
    if (!entry.online) {
        others.forEach(goOffline);
    }
    return entry.online ? news(entry) : [entry, ...others].flatMap(news);
}

function goOffline(entry) {
    const payload = entry.message.kind === 'availability' ? 'offline' : null;
    entry.online = false;
    entry.message = { ...entry.message, payload };
}

function forget(entry) {
    entry.refused = false;
    entry.said = undefined;
}

function confirm(entry) {
    const { message, online, unconfirmed, refused } = entry;
    entry.unconfirmed = false;
    return unconfirmed && !refused ? [{ ...message, first: false, online, confirm: true }] : [];
}

function obey() {
    const entries = Object.values(known);
    if (msg.control === 'confirm') {
        return entries.flatMap(confirm);
    }
    if (msg.control === 'offline') {
        entries.forEach(goOffline);
    } else if (msg.control === 'announce') {
        context.set('warned', '');
        entries.forEach(forget);
    } else {
        entries.filter((entry) => entry.refused).forEach(forget);
    }
    return entries.flatMap(news);
}

function isWanted() {
    if (msg.kind === 'availability') {
        return true;
    }
    if (msg.kind !== 'reading') {
        return false; // events, snapshots and descriptions are no entities
    }
    if (!msg.ha) {
        showStatus('red', 'the service runs with --bare');
        return false;
    }
    return msg.ha.enabled_by_default !== false || env.get('ALL_SENSORS') === true;
}

function hold() {
    const entry = known[msg.topic];
    if (entry) {
        entry.refused = true;
        entry.said = undefined;
    }
    // While Home Assistant is away every message fails alike: one line in the log is enough.
    const text = String(msg.error.message);
    if (context.get('warned') !== text) {
        context.set('warned', text);
        node.warn(`Not taken, will be sent again: ${text}`);
    }
}

function showStatus(fill, text) {
    // Every status goes to every open editor: only what changed is worth it.
    if (context.get('status') !== text) {
        context.set('status', text);
        node.status({ fill, shape: 'dot', text });
    }
}

function summarize() {
    const readings = Object.values(known).filter(({ message }) => message.kind === 'reading');
    const refused = readings.filter((entry) => entry.refused).length;
    if (refused) {
        showStatus('yellow', `sensors: ${readings.length}, not taken yet: ${refused}`);
    } else if (readings.some((entry) => entry.online)) {
        showStatus('green', `sensors: ${readings.length}`);
    } else if (readings.length) {
        showStatus('red', `sensors: ${readings.length}, offline`);
    }
}

let out = [];
// What a trigger node repeats may still carry the error that set it off: control comes first.
if (msg.control) {
    out = obey();
} else if (msg.error) {
    hold();
} else if (isWanted()) {
    out = hear();
}
summarize();
return [out, out.some((message) => message.first) ? { payload: 'confirm' } : null];
