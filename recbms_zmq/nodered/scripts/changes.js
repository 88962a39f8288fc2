// On Message: keeps the last message of every topic, and passes on what differs from the last one sent.
//
// In:  messages of recbms-zmq;
//      msg.control = 'announce'  Home Assistant or its companion has started: send everything again;
//                    'retry'     send again what was refused;
//                    'confirm'   send again what was announced some seconds ago;
//                    'offline'   nothing is known any more: the service has ended or is silent;
//                    'removed'   the entities were removed: send nothing until the next deploy;
//      msg.error                 from a catch node: this topic was refused.
// Out: 1. the message, and in it
//         first   true when the receiver needs the description before the value;
//         online  false while the BMS is offline; payload is then null;
//         confirm true when this repeats an announcement.
//      2. a message, when there is something to confirm. Home Assistant makes an entity some time
//         after it was announced, and ignores the values that arrive before.
//
// MIN_INTERVAL (seconds, the tab's environment) limits how often a sensor is sent. The last value
// of a burst is sent when the interval has passed. Alarms, availability, and values that become
// unknown or known are sent at once.
//
// With many BMS there are thousands of topics, and messages a second: what goes through all topics
// is done only when it may give something else than before.

const known = context.get('known'); // topic → {message, online, sent, refused, unconfirmed, held}
const models = context.get('models'); // device → its model
const intervalMs = Math.max(Number(env.get('MIN_INTERVAL')) || 0, 0) * 1000;
const CONNECT_MS = 10000;
const TOGETHER_MS = 200; // values of one frame that are due at nearly the same time go out together

let mayShowOther = false; // the status
let hasHeld = false; // a value waits for its interval

function describe(message) {
    const { name, unit, ha, device_name, model } = message;
    return JSON.stringify([name, unit, ha, device_name, model]);
}

function isUrgent({ message, online, sent }) {
    return message.kind === 'availability'
        || /^(problem|error_.*)$/.test(message.key)
        || message.payload === null || sent.payload === null || sent.online !== online;
}

function changed(entry) {
    const { message, online, sent } = entry;
    const description = describe(message);
    const first = sent?.description !== description;
    entry.held = false;
    if (entry.refused || (!first && sent.payload === message.payload && sent.online === online)) {
        return [];
    }
    const now = Date.now();
    if (!first && now < sent.at + intervalMs && !isUrgent(entry)) {
        entry.held = true;
        hasHeld = true;
        return [];
    }
    entry.sent = { description, payload: message.payload, online, at: now };
    entry.unconfirmed ||= first;
    return [{ ...message, first, online }];
}

/** Set the timer for the held value that is due first. */
function schedule() {
    const due = Object.values(known).filter((entry) => entry.held)
        .map((entry) => entry.sent.at + intervalMs);
    if (due.length) {
        context.set('hasTimer', true);
        setTimeout(flush, Math.max(Math.min(...due) - Date.now(), 0) + TOGETHER_MS);
    }
}

function flush() {
    context.set('hasTimer', false);
    if (context.get('removed')) {
        return;
    }
    const out = Object.values(known).filter((entry) => entry.held).flatMap(changed);
    if (out.length) {
        node.send([out, null]);
    }
    schedule();
}

function receive() {
    const { _msgid, ...message } = msg;
    const entry = known[msg.topic] ??= {};
    const wasOnline = entry.online; // undefined if it is new
    // An empty text would be a blank row in Home Assistant.
    entry.message = message.payload === '' ? { ...message, payload: 'none' } : message;
    addModel(entry);
    entry.online = !(message.kind === 'availability' && message.payload === 'offline');
    mayShowOther = entry.online !== wasOnline || !entry.online;
    if (entry.online) {
        return changed(entry);
    }
    const others = Object.values(known).filter(
        (other) => other !== entry && other.message.device === message.device,
    );
    others.forEach(goOffline);
    return [entry, ...others].flatMap(changed);
}

function addModel(entry) {
    const model = models[entry.message.device];
    if (model && entry.message.kind === 'reading') {
        entry.message = { ...entry.message, model };
    }
}

/** The description of a BMS: its model is part of what Home Assistant shows of the device. */
function describeDevice() {
    if (models[msg.device] === msg.payload.model) {
        return [];
    }
    models[msg.device] = msg.payload.model;
    const entries = Object.values(known).filter(({ message }) => message.device === msg.device);
    entries.forEach(addModel);
    return entries.flatMap(changed);
}

function goOffline(entry) {
    const payload = entry.message.kind === 'availability' ? 'offline' : null;
    entry.online = false;
    entry.message = { ...entry.message, payload };
}

function forget(entry) {
    entry.refused = false;
    entry.sent = undefined;
}

function confirm(entry) {
    const { message, online, unconfirmed, refused } = entry;
    entry.unconfirmed = false;
    return unconfirmed && !refused ? [{ ...message, first: false, online, confirm: true }] : [];
}

const controls = {
    confirm: (entries) => entries.flatMap(confirm),
    offline: (entries) => {
        entries.forEach(goOffline);
        return entries.flatMap(changed);
    },
    announce: (entries) => {
        // After a deploy, what was refused at first is sent again at once: one warning is enough.
        if (Date.now() > context.get('warnedAt') + CONNECT_MS) {
            context.set('warned', '');
        }
        entries.forEach(forget);
        return entries.flatMap(changed);
    },
    retry: (entries) => {
        entries.filter((entry) => entry.refused).forEach(forget);
        return entries.flatMap(changed);
    },
    removed: () => {
        context.set('removed', true);
        // The button Deploy does nothing while the editor has no changes.
        showStatus('grey', 'removed; to add it again: Restart Flows, in the menu of Deploy');
        return [];
    },
};

function isWanted() {
    if (msg.kind === 'availability') {
        return true;
    }
    if (msg.kind !== 'reading') {
        return false; // events and snapshots are no entities
    }
    if (!msg.ha) {
        showStatus('red', 'recbms-zmq runs with --bare: take that option out');
        return false;
    }
    return msg.ha.enabled_by_default !== false || env.get('ALL_SENSORS') === true;
}

const AWAY = 'no connection to Home Assistant';
// What is wrong, which has to fit between this node and the end of its line, and what to do.
const REASONS = [
    [
        /Unknown command/,
        'Node-RED Companion is missing in Home Assistant',
        'install it with HACS, then add the integration Node-RED Companion',
    ],
    [/Unauthorized|not_allowed/i, 'the token is not that of an administrator', 'make one as an administrator'],
    [/NoConnection|not connected|Connection lost/i, AWAY],
];

function refuse() {
    const entry = known[msg.topic];
    if (entry) {
        entry.refused = true;
        entry.held = false;
        entry.sent = undefined;
    }
    // While Home Assistant is away every message fails alike: one line in the log is enough.
    const error = String(msg.error.message);
    const [, reason, advice] = REASONS.find(([pattern]) => pattern.test(error)) ?? [null, error];
    context.set('reason', reason);
    if (entry) {
        showStatus('yellow', reason);
    }
    // At a deploy values can come before the connection is there.
    const isEarly = reason === AWAY && Date.now() < context.get('began') + CONNECT_MS;
    if (context.get('warned') !== reason && !isEarly) {
        context.set('warned', reason);
        context.set('warnedAt', Date.now());
        const sentence = advice ? `${reason}: ${advice}` : reason;
        node.warn(`${sentence}. What was not sent is tried again every half minute.`);
    }
}

function showStatus(fill, text) {
    // Every status goes to every open editor: only a new one is sent.
    if (context.get('status') !== text) {
        context.set('status', text);
        node.status({ fill, shape: 'dot', text });
    }
}

function summarize() {
    const readings = Object.values(known).filter(({ message }) => message.kind === 'reading');
    const refused = readings.filter((entry) => entry.refused).length;
    if (refused) {
        showStatus('yellow', context.get('reason'));
    } else if (readings.some((entry) => entry.online)) {
        showStatus('green', `sensors: ${readings.length}`);
    } else if (readings.length) {
        showStatus('red', `sensors: ${readings.length}, offline`);
    }
}

if (context.get('removed')) {
    return null;
}
let out = [];
// A trigger node repeats the message that started it, which may carry an error: control comes first.
if (msg.control) {
    out = controls[msg.control](Object.values(known));
    mayShowOther = true;
} else if (msg.error) {
    refuse();
} else if (msg.kind === 'device') {
    out = describeDevice();
} else if (isWanted()) {
    out = receive();
}
if (mayShowOther && !context.get('removed')) {
    summarize();
}
if (hasHeld && !context.get('hasTimer')) {
    schedule();
}
return [out, out.some((message) => message.first) ? { payload: 'confirm' } : null];
